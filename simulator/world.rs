//! The partner's customers and what they use: pure functions of the seed, the
//! customer, the product, the workload and the date. Nothing is stored, so any
//! number of customers costs nothing to set up, and a date asked for twice gives
//! the same figures, whatever was asked in between.

use chrono::{Datelike, NaiveDate, Weekday};
use uuid::Uuid;

use crate::{
    catalog::{EXTRAS, Product, SUITES, Service, Workload},
    company,
    draw::Draw,
};

/// The day from which days are counted, and before which nobody bought anything.
const EPOCH: NaiveDate =
    NaiveDate::from_ymd_opt(2015, 1, 1).expect("the first of January is a date");

/// The days, from the epoch, in which customers come, go and buy further
/// products: mid-2024 to mid-2028. Kept short so that a demo of some weeks sees
/// all of these happen.
const STIR: (i64, i64) = (3_469, 4_930);

/// How long a subscription lives on, with its seats, after it was given up.
const GRACE_DAYS: i64 = 30;
/// How long an ended subscription is still reported, with zeros.
const ECHO_DAYS: i64 = 60;
/// Activity is counted over this many days, so it takes as long to vanish.
const ROLLING_DAYS: i64 = 28;

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
    pub(crate) product: &'static str,
    pub(crate) workload: &'static str,
    pub(crate) service: Service,
    pub(crate) active: u32,
    pub(crate) qualified: u32,
    pub(crate) processed: NaiveDate,
}

impl Usage {
    /// Active of qualified seats on a scale to 100, with two decimals.
    pub(crate) fn percent(&self) -> f64 {
        if self.qualified == 0 {
            return 0.0;
        }
        (f64::from(self.active) / f64::from(self.qualified) * 10_000.0).round() / 100.0
    }
}

/// One product in one customer's hands.
struct Holding {
    product: &'static Product,
    draw: Draw,
    seats: f64,
    bought: i64,
    dropped: Option<i64>,
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

    /// The newest date that a service has processed on the day `today`.
    ///
    /// Office figures are two days old, or three after a day that was never
    /// processed. Dynamics figures come every third day and are then four old.
    pub(crate) fn processed(&self, service: Service, today: NaiveDate) -> NaiveDate {
        let today = day_number(today);
        let day = match service {
            Service::Office if self.is_skipped(today - 2) => today - 3,
            Service::Office => today - 2,
            Service::Dynamics => today - 4 - (today - 4).rem_euclid(3),
        };
        EPOCH + chrono::Duration::days(day)
    }

    // Never two days in a row, or the lag would pass what was promised above.
    fn is_skipped(&self, day: i64) -> bool {
        let missed = |day: i64| self.draw.on(3).on(day.cast_unsigned()).chance(0.07);
        missed(day) && !missed(day - 1)
    }

    /// What the usage collection of a customer holds on the day `today`.
    pub(crate) fn usage(&self, number: u32, today: NaiveDate) -> Vec<Usage> {
        let office = self.processed(Service::Office, today);
        let dynamics = self.processed(Service::Dynamics, today);
        let mut rows = Vec::with_capacity(24);
        for holding in holdings(self.about(number).on(2), number < SETTLED) {
            let processed = match holding.product.service {
                Service::Office => office,
                Service::Dynamics => dynamics,
            };
            let Some(qualified) = holding.qualified(day_number(processed)) else {
                continue;
            };
            for workload in holding.product.workloads {
                rows.push(Usage {
                    product: holding.product.name,
                    workload: workload.name,
                    service: holding.product.service,
                    active: holding.active(workload, qualified, processed),
                    qualified,
                    processed,
                });
            }
        }
        rows
    }
}

/// All products a customer ever holds, each product once.
fn holdings(draw: Draw, settled: bool) -> Vec<Holding> {
    // Half of the customers have fewer than about 28 seats, one in a hundred over 600.
    let size = (3.35 + 1.35 * draw.on(0).bell()).exp().clamp(3.0, 3_000.0);
    let joined = if !settled && draw.on(1).chance(0.14) {
        draw.on(2).days(STIR.0, STIR.1)
    } else {
        draw.on(2).days(0, 2_600)
    };
    let left = (!settled && draw.on(3).chance(0.07))
        .then(|| draw.on(4).days(STIR.0.max(joined + 200), STIR.1 + 400));

    let mut holdings: Vec<Holding> = Vec::with_capacity(6);
    let wanted = 1.0 + draw.on(5).between(0.0, 1.0).powf(1.4) * (2.2 + size.ln() * 0.8);
    for place in 0..u64::from(whole(wanted).clamp(1, 6)) {
        let own = draw.on(6).on(place);
        // A second suite beside the first is common: two kinds of staff.
        let shelf: &'static [Product] = if place == 0 || own.on(0).chance(0.25) {
            &SUITES
        } else {
            &EXTRAS
        };
        let product = choose(own.on(1), shelf, size);
        if holdings.iter().any(|held| held.product == product) {
            continue;
        }
        let share = if place == 0 {
            own.on(2).between(0.6, 1.0)
        } else {
            own.on(2).between(0.04, 0.5)
        };
        let bought = if place == 0 {
            joined
        } else if product.retiring || own.on(3).chance(0.5) {
            joined + own.on(4).days(0, 400)
        } else {
            own.on(4).days(joined.max(STIR.0), STIR.1.max(joined + 300))
        };
        let given_up = (product.retiring || (place > 0 && own.on(5).chance(0.15)))
            .then(|| own.on(6).days(STIR.0.max(bought + 120), STIR.1 + 300));
        holdings.push(Holding {
            product,
            draw: own.on(7),
            seats: (size * share).max(1.0),
            bought,
            dropped: [left, given_up].into_iter().flatten().min(),
        });
    }
    holdings
}

fn choose(draw: Draw, shelf: &'static [Product], size: f64) -> &'static Product {
    let fits = |product: &&Product| product.fits.0 <= size && size <= product.fits.1;
    let total: f64 = shelf
        .iter()
        .filter(fits)
        .map(|product| product.weight)
        .sum();
    let mut rest = draw.between(0.0, total);
    let mut chosen = &shelf[0];
    for product in shelf.iter().filter(fits) {
        chosen = product;
        rest -= product.weight;
        if rest < 0.0 {
            break;
        }
    }
    chosen
}

impl Holding {
    /// The seats on a day; `None` when the product is not reported on it at all.
    fn qualified(&self, day: i64) -> Option<u32> {
        if day < self.bought {
            return None;
        }
        if let Some(dropped) = self.dropped {
            if day >= dropped + ECHO_DAYS {
                return None;
            }
            if day >= dropped + GRACE_DAYS {
                return Some(0);
            }
        }
        // Seats change at most once a quarter: most quarters nothing, sometimes a
        // few more, and every fourth time, at renewal, sometimes fewer.
        let mut level: f64 = 1.0;
        for quarter in 1..=((day - self.bought) / 91).cast_unsigned() {
            let draw = self.draw.on(0).on(quarter);
            if quarter % 4 == 0 && draw.on(0).chance(0.3) {
                level *= draw.on(1).between(0.8, 0.97);
            } else if draw.on(2).chance(0.33) {
                level *= draw.on(3).between(1.01, 1.07);
            }
        }
        Some(whole(self.seats * level.clamp(0.4, 2.5)).max(1))
    }

    /// How many people used the workload in the 28 days up to `date`.
    fn active(&self, workload: &Workload, qualified: u32, date: NaiveDate) -> u32 {
        let day = day_number(date);
        let draw = self.draw.on(1).on(name_number(workload.name));
        let overrun = draw.on(0).chance(workload.overrun_chance);
        let share = if overrun {
            draw.on(1).between(1.04, 1.45)
        } else if self.draw.on(2).chance(0.04) {
            // Bought and never taken up.
            draw.on(1).between(0.0, 0.03)
        } else {
            let spread = (0.5 * workload.typical_share).min(0.16);
            (workload.typical_share + spread * draw.on(1).bell()).clamp(0.0, 0.98)
        };
        let age = i32::try_from(day - self.bought).map_or(0.0, f64::from);
        let ramp = 1.0 - (-age / draw.on(2).between(12.0, 55.0)).exp();
        let drift = 1.0 + 0.06 * draw.on(3).wave(day, 45) + 0.025 * draw.on(4).wave(day, 5);
        let leaving = self.dropped.map_or(1.0, |dropped| {
            let left = (ROLLING_DAYS - (day - dropped)).clamp(0, ROLLING_DAYS);
            f64::from(i32::try_from(left).unwrap_or(0)) / 28.0
        });
        let people = f64::from(qualified) * share * ramp * drift * leaving * season(date);
        let counted = whole(people);
        if overrun {
            counted
        } else {
            counted.min(qualified)
        }
    }
}

/// The light dips of a year: around New Year, in summer, and over weekends.
fn season(date: NaiveDate) -> f64 {
    let dip = |middle: i32, half_width: i32, depth: f64| {
        let off = (i32::try_from(date.ordinal0()).unwrap_or(0) - middle).rem_euclid(365);
        let off = off.min(365 - off);
        depth * f64::from((half_width - off).max(0)) / f64::from(half_width)
    };
    let weekend = match date.weekday() {
        Weekday::Sat | Weekday::Sun => 0.006,
        _ => 0.0,
    };
    1.0 - dip(363, 20, 0.12) - dip(212, 38, 0.08) - weekend
}

fn day_number(date: NaiveDate) -> i64 {
    date.signed_duration_since(EPOCH).num_days()
}

// A number for a workload that doesn't depend on its place in the catalogue.
fn name_number(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the clamp leaves only values that a u32 holds"
)]
fn whole(number: f64) -> u32 {
    number.round().clamp(0.0, 1.0e9) as u32
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

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn all_rows(world: &World, today: &str) -> Vec<Usage> {
        (0..world.customers())
            .flat_map(|number| world.usage(number, date(today)))
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
        let over = rows.iter().filter(|row| row.percent() > 100.0).count();
        let per_thousand = over * 1_000 / rows.len();
        assert!((20..=45).contains(&per_thousand), "{per_thousand} of 1000");
    }

    #[test]
    fn no_customer_has_the_same_product_and_workload_twice() {
        let world = World::new(1, 2_000);
        for number in 0..2_000 {
            let rows = world.usage(number, date("2026-05-04"));
            let keys: HashSet<_> = rows.iter().map(|row| (row.product, row.workload)).collect();
            assert_eq!(keys.len(), rows.len());
        }
    }

    #[test]
    fn the_two_services_lag_differently() {
        let world = World::new(1, 1);
        let mut office_dates = HashSet::new();
        let mut crm_dates = HashSet::new();
        let mut office_lags = HashSet::new();
        for today in date("2026-01-01").iter_days().take(180) {
            let office = world.processed(Service::Office, today);
            let crm = world.processed(Service::Dynamics, today);
            office_lags.insert((today - office).num_days());
            assert!((4..=6).contains(&(today - crm).num_days()));
            office_dates.insert(office);
            crm_dates.insert(crm);
        }
        assert_eq!(office_lags, HashSet::from([2, 3]));
        assert!((155..180).contains(&office_dates.len()));
        assert!((60..=61).contains(&crm_dates.len()));
    }

    #[test]
    fn a_customer_that_leaves_falls_to_zero_and_then_vanishes() {
        let holding = Holding {
            product: &SUITES[0],
            draw: Draw::new(5),
            seats: 40.0,
            bought: 100,
            dropped: Some(900),
        };
        let workload = SUITES[0].workloads[0];
        let after = |days: i64| EPOCH + chrono::Duration::days(900 + days);
        assert_eq!(holding.qualified(99), None);
        let seats = holding.qualified(900).unwrap();
        assert!(holding.active(workload, seats, after(0)) > 0);
        assert_eq!(holding.active(workload, seats, after(28)), 0);
        assert_eq!(holding.qualified(931), Some(0));
        assert_eq!(holding.qualified(960), None);
    }

    #[test]
    fn the_first_customers_always_have_rows() {
        for seed in 0..20 {
            let world = World::new(seed, SETTLED);
            for number in 0..SETTLED {
                assert!(!world.usage(number, date("2024-02-29")).is_empty());
                assert!(!world.usage(number, date("2026-11-22")).is_empty());
            }
        }
    }

    #[test]
    fn a_new_product_is_taken_up_slowly() {
        let world = World::new(1, 1_500);
        let new_today = |number: &u32| {
            world.usage(*number, date("2026-02-02")).is_empty()
                && !world.usage(*number, date("2026-03-02")).is_empty()
        };
        let share = |today: &str| {
            let rows: Vec<_> = (0..1_500)
                .filter(new_today)
                .flat_map(|number| world.usage(number, date(today)))
                .collect();
            let active: u32 = rows.iter().map(|row| row.active).sum();
            let qualified: u32 = rows.iter().map(|row| row.qualified).sum();
            assert!(qualified > 0);
            f64::from(active) / f64::from(qualified)
        };
        assert!(share("2026-03-02") < share("2026-06-02"));
    }
}
