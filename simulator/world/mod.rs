//! The partner's customers and what they use: pure functions of the seed, the customer, the
//! product, the workload and the date. Nothing is stored, so any number of customers costs nothing
//! to set up, and a date gives the same figures whenever it is asked for.
//!
//! `draw` is the source of random numbers, `catalog` what Microsoft sells, `company` the customers'
//! names, `calendar` the dates that figures exist for, `holding` what one customer has of one
//! product, `product_names` what a product is called in an answer, and `variety` what else can
//! happen to products and customers.

mod calendar;
mod catalog;
mod company;
mod draw;
mod holding;
mod product_names;
mod variety;

use chrono::NaiveDate;
use uuid::Uuid;

use self::{
    calendar::{ProcessedDate, day_number},
    draw::Draw,
    holding::{Holding, holdings},
};

pub(crate) use self::{
    calendar::{Calendar, Dataset, Snapshot},
    catalog::{Product, Workload},
    product_names::ProductNames,
};

/// The number of customers, counted from the first, that joined early and never leave, so that
/// trying out one of them always shows rows.
const SETTLED: u32 = 3;

const NUMBER_FACTOR: u32 = 0x9E37_79B1;
const NUMBER_INVERSE: u32 = inverse(NUMBER_FACTOR);

/// All customers of one seed.
#[derive(Debug)]
pub(crate) struct World {
    draw: Draw,
    customers: u32,
    pub(crate) calendar: Calendar,
}

/// One customer as the customer list shows it.
#[derive(Debug, PartialEq)]
pub(crate) struct CustomerProfile {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) domain: String,
}

/// One row of a usage collection.
#[derive(Debug, PartialEq)]
pub(crate) struct Usage {
    pub(crate) product: &'static Product,
    pub(crate) workload: &'static Workload,
    pub(crate) channel: &'static str,
    pub(crate) active: u32,
    pub(crate) qualified: u32,
    pub(crate) processed: NaiveDate,
}

/// One row of a deployment collection.
#[derive(Debug, PartialEq)]
pub(crate) struct Deployment {
    pub(crate) product: &'static Product,
    pub(crate) channel: &'static str,
    pub(crate) deployed: u32,
    pub(crate) sold: u32,
    pub(crate) processed: NaiveDate,
}

/// A share in percent with two decimals.
pub(crate) fn percent(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (f64::from(part) / f64::from(whole) * 10_000.0).round() / 100.0
}

impl World {
    pub(crate) fn new(seed: u64, customers: u32) -> Self {
        let draw = Draw::new(seed);
        Self {
            draw,
            customers,
            calendar: Calendar::new(draw),
        }
    }

    /// How many customers there are. They are numbered from 0.
    pub(crate) fn customers(&self) -> u32 {
        self.customers
    }

    fn about(&self, number: u32) -> Draw {
        self.draw.on(1).on(u64::from(number))
    }

    /// The customer's GUID. Its first group is the number in disguise, so that [`Self::find`] needs
    /// no table; the other groups distinguish a real GUID from a guessed one.
    pub(crate) fn id(&self, number: u32) -> Uuid {
        let [a, b, c, d, rest @ ..] = self.about(number).on(0).bits().to_be_bytes();
        let mask = u32::from_be_bytes([a, b, c, d]);
        let key = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
        let disguised = number.wrapping_mul(NUMBER_FACTOR) ^ self.key();
        let tail = (u128::from(mask) << 64) | (u128::from(key) << 32) | u128::from(mask ^ key);
        let bytes = ((u128::from(disguised) << 96) | tail).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The number of the customer with this GUID, if there is one.
    pub(crate) fn find(&self, id: Uuid) -> Option<u32> {
        let (disguised, ..) = id.as_fields();
        let number = (disguised ^ self.key()).wrapping_mul(NUMBER_INVERSE);
        (number < self.customers && self.id(number) == id).then_some(number)
    }

    fn key(&self) -> u32 {
        let [a, b, c, d, ..] = self.draw.on(2).bits().to_be_bytes();
        u32::from_be_bytes([a, b, c, d])
    }

    pub(crate) fn customer(&self, number: u32) -> CustomerProfile {
        let draw = self.about(number).on(1);
        CustomerProfile {
            id: self.id(number),
            name: company::name(draw),
            domain: company::domain(draw, number),
        }
    }

    fn holdings(&self, number: u32, snapshot: &Snapshot) -> Vec<Holding> {
        let mut holdings = holdings(self.about(number).on(2), number < SETTLED);
        if let Some(from) = snapshot.varied_from {
            variety::vary(&mut holdings, self.about(number).on(3), number, from);
        }
        holdings
    }

    /// The products that a snapshot has figures of for this customer, each with its channel.
    /// Cheaper than the figures themselves, so that the rows of many customers can be counted.
    pub(crate) fn reported(
        &self,
        number: u32,
        snapshot: &Snapshot,
    ) -> impl Iterator<Item = (&'static Product, &'static str)> {
        self.holdings(number, snapshot)
            .into_iter()
            .filter_map(|holding| {
                let processed = snapshot.of(holding.product.service)?;
                let is_reported = holding.is_reported(day_number(processed.date));
                is_reported.then_some((holding.product, holding.channel))
            })
    }

    /// The holdings behind [`Self::reported`], each with its processed date and its seats on that
    /// date.
    fn reported_holdings(
        &self,
        number: u32,
        snapshot: &Snapshot,
    ) -> impl Iterator<Item = (Holding, ProcessedDate, u32)> {
        self.holdings(number, snapshot)
            .into_iter()
            .filter_map(|holding| {
                let processed = snapshot.of(holding.product.service)?;
                let seats = holding.qualified(day_number(processed.date))?;
                Some((holding, processed, seats))
            })
    }

    /// The rows of the customer's usage collection, in the order of [`Self::reported`] and of each
    /// product's workloads.
    pub(crate) fn usage(&self, number: u32, snapshot: &Snapshot) -> Vec<Usage> {
        let mut rows = Vec::with_capacity(24);
        for (holding, processed, qualified) in self.reported_holdings(number, snapshot) {
            let date = processed.date;
            for workload in holding.product.workloads {
                let mut active = holding.active(workload, qualified, date);
                if processed.corrected {
                    active = holding.corrected(workload.name, date, active, qualified);
                }
                rows.push(Usage {
                    product: holding.product,
                    workload,
                    channel: holding.channel,
                    active,
                    qualified,
                    processed: date,
                });
            }
        }
        rows
    }

    /// The rows of the customer's deployment collection, in the order of [`Self::reported`].
    pub(crate) fn deployment(&self, number: u32, snapshot: &Snapshot) -> Vec<Deployment> {
        let mut rows = Vec::with_capacity(6);
        for (holding, processed, sold) in self.reported_holdings(number, snapshot) {
            let date = processed.date;
            let mut deployed = holding.deployed(sold, date);
            if processed.corrected {
                deployed = holding.corrected("", date, deployed, sold);
            }
            rows.push(Deployment {
                product: holding.product,
                channel: holding.channel,
                deployed,
                sold,
                processed: date,
            });
        }
        rows
    }

    /// Whether this customer is one of a random share of all customers.
    pub(crate) fn is_in_customer_share(&self, number: u32, share: f64) -> bool {
        self.draw.on(6).on(u64::from(number)).chance(share)
    }

    /// Whether the API call with this number is one of a random share of all calls.
    pub(crate) fn is_in_call_share(&self, call: u64, share: f64) -> bool {
        self.draw.on(7).on(call).chance(share)
    }
}

// The inverse of an odd number modulo 2^32 by Newton's iteration. The first guess is right in its
// lowest three bits, and each round doubles their number.
const fn inverse(odd: u32) -> u32 {
    let mut guess = odd;
    let mut round = 0;
    while round < 4 {
        guess = guess.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(guess)));
        round += 1;
    }
    guess
}

#[cfg(test)]
mod tests;
