//! The partner's customers and what they use: pure functions of the seed, the
//! customer, the product, the workload and the date. Nothing is stored, so any
//! number of customers costs nothing to set up, and a date asked for twice gives
//! the same figures, whatever was asked in between.

mod calendar;
pub(crate) mod catalog;
mod company;
mod draw;
mod holding;
pub(crate) mod product_names;

use chrono::NaiveDate;
use uuid::Uuid;

use self::{
    calendar::Processed,
    holding::{day_number, holdings},
};
use crate::{
    world::catalog::{Product, Workload},
    world::draw::Draw,
};

pub(crate) use self::calendar::{Snapshot, Subject};

/// The day from which days are counted, and before which nobody bought anything.
const EPOCH: NaiveDate =
    NaiveDate::from_ymd_opt(2015, 1, 1).expect("the first of January is a date");

/// The first so many customers were there early and stay, so that whoever tries
/// out one customer sees rows.
const SETTLED: u32 = 3;

const NUMBER_FACTOR: u32 = 0x9E37_79B1;
const NUMBER_INVERSE: u32 = inverse(NUMBER_FACTOR);

/// All customers of one seed.
#[derive(Debug)]
pub(crate) struct World {
    draw: Draw,
    customers: u32,
}

/// One customer as the customer list shows it.
#[derive(Debug, PartialEq)]
pub(crate) struct Customer {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) domain: String,
}

/// One row of a usage collection.
#[derive(Debug, PartialEq)]
pub(crate) struct Usage {
    pub(crate) product: &'static Product,
    pub(crate) workload: &'static Workload,
    pub(crate) active: u32,
    pub(crate) qualified: u32,
    pub(crate) processed: NaiveDate,
}

/// One row of a deployment collection.
#[derive(Debug, PartialEq)]
pub(crate) struct Deployment {
    pub(crate) product: &'static Product,
    pub(crate) deployed: u32,
    pub(crate) sold: u32,
    pub(crate) processed: NaiveDate,
}

/// A part of a whole on a scale to 100, with two decimals.
pub(crate) fn percent(part: u32, whole: u32) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (f64::from(part) / f64::from(whole) * 10_000.0).round() / 100.0
}

impl World {
    pub(crate) fn new(seed: u64, customers: u32) -> Self {
        Self {
            draw: Draw::new(seed),
            customers,
        }
    }

    pub(crate) fn customers(&self) -> u32 {
        self.customers
    }

    fn about(&self, number: u32) -> Draw {
        self.draw.on(1).on(u64::from(number))
    }

    /// The customer's GUID. Its first group is the number in disguise, so that
    /// [`Self::find`] needs no table; the rest tells a real GUID from a guess.
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

    pub(crate) fn customer(&self, number: u32) -> Customer {
        let draw = self.about(number).on(1);
        Customer {
            id: self.id(number),
            name: company::name(draw),
            domain: company::domain(draw, number),
        }
    }

    /// The products that a customer's part of the snapshot is about.
    pub(crate) fn reported(
        &self,
        number: u32,
        snapshot: &Snapshot,
    ) -> impl Iterator<Item = &'static Product> {
        let holdings = holdings(self.about(number).on(2), number < SETTLED);
        holdings.into_iter().filter_map(|holding| {
            let processed = snapshot.of(holding.product.service)?;
            let is_reported = holding.is_reported(day_number(processed.date));
            is_reported.then_some(holding.product)
        })
    }

    /// What the usage collection of a customer holds, in the order of
    /// [`Self::reported`] and of each product's workloads.
    pub(crate) fn usage(&self, number: u32, snapshot: &Snapshot) -> Vec<Usage> {
        let mut rows = Vec::with_capacity(24);
        for holding in holdings(self.about(number).on(2), number < SETTLED) {
            let Some(Processed { date, corrected }) = snapshot.of(holding.product.service) else {
                continue;
            };
            let Some(qualified) = holding.qualified(day_number(date)) else {
                continue;
            };
            for workload in holding.product.workloads {
                let mut active = holding.active(workload, qualified, date);
                if corrected {
                    active = holding.corrected(workload.name, date, active, qualified);
                }
                rows.push(Usage {
                    product: holding.product,
                    workload,
                    active,
                    qualified,
                    processed: date,
                });
            }
        }
        rows
    }

    /// What the deployment collection of a customer holds, in the order of
    /// [`Self::reported`].
    pub(crate) fn deployment(&self, number: u32, snapshot: &Snapshot) -> Vec<Deployment> {
        let mut rows = Vec::with_capacity(6);
        for holding in holdings(self.about(number).on(2), number < SETTLED) {
            let Some(Processed { date, corrected }) = snapshot.of(holding.product.service) else {
                continue;
            };
            let Some(sold) = holding.qualified(day_number(date)) else {
                continue;
            };
            let mut deployed = holding.deployed(sold, date);
            if corrected {
                deployed = holding.corrected("", date, deployed, sold);
            }
            rows.push(Deployment {
                product: holding.product,
                deployed,
                sold,
                processed: date,
            });
        }
        rows
    }

    /// Whether chance, at these odds, falls on one customer, the same way each time.
    pub(crate) fn falls_on_customer(&self, number: u32, odds: f64) -> bool {
        self.draw.on(6).on(u64::from(number)).chance(odds)
    }

    /// Whether chance, at these odds, falls on one request, the same way each time.
    pub(crate) fn falls_on_request(&self, number: u64, odds: f64) -> bool {
        self.draw.on(7).on(number).chance(odds)
    }
}

// Newton's iteration for the inverse of an odd number: each round doubles the
// number of right bits, of which the start has three.
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
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::world::catalog::Service;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn rows(world: &World, number: u32, today: &str) -> Vec<Usage> {
        let newest = world.snapshot(Subject::Usage, None, date(today), None);
        world.usage(number, &newest)
    }

    fn all_rows(world: &World, today: &str) -> Vec<Usage> {
        (0..world.customers())
            .flat_map(|number| rows(world, number, today))
            .collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_world() {
        let (first, second) = (World::new(7, 200), World::new(7, 200));
        assert_eq!(
            all_rows(&first, "2026-05-04"),
            all_rows(&second, "2026-05-04")
        );
        assert_eq!(first.customer(17), second.customer(17));
        assert_ne!(first.id(3), World::new(8, 200).id(3));
    }

    #[test]
    fn every_customer_is_found_again_by_its_guid() {
        let world = World::new(3, 50_000);
        let ids: HashSet<Uuid> = (0..50_000).map(|number| world.id(number)).collect();
        assert_eq!(ids.len(), 50_000);
        for number in (0..50_000).step_by(97) {
            assert_eq!(world.find(world.id(number)), Some(number));
        }
        assert_eq!(world.find(Uuid::nil()), None);
        assert_eq!(world.find(World::new(4, 50_000).id(0)), None);
    }

    #[test]
    fn about_three_rows_in_a_hundred_are_over_a_hundred_percent() {
        let rows = all_rows(&World::new(1, 3_000), "2026-05-04");
        let over = rows
            .iter()
            .filter(|row| percent(row.active, row.qualified) > 100.0)
            .count();
        let per_thousand = over * 1_000 / rows.len();
        assert!((20..=45).contains(&per_thousand), "{per_thousand} of 1000");
    }

    #[test]
    fn no_customer_has_the_same_product_and_workload_twice() {
        let world = World::new(1, 2_000);
        for number in 0..2_000 {
            let rows = rows(&world, number, "2026-05-04");
            let keys: HashSet<_> = rows
                .iter()
                .map(|row| (row.product.id, row.workload.code))
                .collect();
            assert_eq!(keys.len(), rows.len());
        }
    }

    #[test]
    fn the_first_customers_always_have_rows() {
        for seed in 0..20 {
            let world = World::new(seed, SETTLED);
            for number in 0..SETTLED {
                assert!(!rows(&world, number, "2024-02-29").is_empty());
                assert!(!rows(&world, number, "2026-11-22").is_empty());
            }
        }
    }

    #[test]
    fn a_new_product_is_taken_up_slowly() {
        let world = World::new(1, 1_500);
        let new_today = |number: &u32| {
            rows(&world, *number, "2026-02-02").is_empty()
                && !rows(&world, *number, "2026-03-02").is_empty()
        };
        let share = |today: &str| {
            let rows: Vec<_> = (0..1_500)
                .filter(new_today)
                .flat_map(|number| rows(&world, number, today))
                .collect();
            let active: u32 = rows.iter().map(|row| row.active).sum();
            let qualified: u32 = rows.iter().map(|row| row.qualified).sum();
            assert!(qualified > 0);
            f64::from(active) / f64::from(qualified)
        };
        assert!(share("2026-03-02") < share("2026-06-02"));
    }

    #[test]
    fn a_processed_date_is_the_same_whether_newest_or_asked_for_later() {
        let world = World::new(1, 60);
        let newest = |today: &str| world.snapshot(Subject::Usage, None, date(today), None);
        let office = world.processed(Subject::Usage, Service::Office, date("2026-05-04"));
        let later = world.snapshot(Subject::Usage, Some(office), date("2026-08-01"), None);
        let too_early = world.snapshot(Subject::Usage, Some(office), office, None);
        for number in 0..60 {
            let mut then = world.usage(number, &newest("2026-05-04"));
            then.retain(|row| row.processed == office);
            assert_eq!(world.usage(number, &later), then);
            assert_eq!(world.usage(number, &too_early), []);
        }
    }

    #[test]
    fn rows_come_in_the_order_in_which_they_are_counted() {
        let world = World::new(1, 300);
        let newest = world.snapshot(Subject::Usage, None, date("2026-05-04"), None);
        for number in 0..300 {
            let counted: Vec<_> = world
                .reported(number, &newest)
                .flat_map(|product| product.workloads.iter().map(|it| (product.id, it.code)))
                .collect();
            let rows = world.usage(number, &newest);
            let rows = rows.iter().map(|row| (row.product.id, row.workload.code));
            assert_eq!(rows.collect::<Vec<_>>(), counted);
            let products: Vec<_> = world.reported(number, &newest).map(|it| it.id).collect();
            let sold = world.deployment(number, &newest);
            let sold: Vec<_> = sold.iter().map(|row| row.product.id).collect();
            assert_eq!(sold, products);
        }
    }
}
