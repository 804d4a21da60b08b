//! What one customer holds, and how it is used: when each product was bought and cancelled, how
//! many seats it has on a day, how many of them are assigned, and how many people are active. Pure:
//! a draw and a date in, figures out.

use chrono::{Datelike, NaiveDate, Weekday};

use super::{
    calendar::day_number,
    catalog::{EXTRAS, Product, SUITES, Workload},
    draw::Draw,
};

/// How seats can be sold, the usual way first.
pub(super) const CHANNELS: [&str; 3] = ["reseller", "direct", "volume"];

/// The day numbers between which customers join, leave and buy further products: mid-2024 to
/// mid-2028. In a longer period, a demo of a few weeks would hardly show any of these changes.
const CHANGES: (i64, i64) = (3_469, 4_930);

/// Days that a cancelled subscription keeps its seats.
const GRACE_DAYS: i64 = 30;
/// Days after the cancellation that the product is still reported, at the end with zeros.
const REPORTED_DAYS: i64 = 60;
/// Days over which activity is counted, and after which that of a cancelled product is 0.
const ACTIVITY_DAYS: i32 = 28;

/// One product of one customer.
pub(super) struct Holding {
    pub(super) product: &'static Product,
    pub(super) channel: &'static str,
    pub(super) draw: Draw,
    pub(super) seats: f64,
    pub(super) bought: i64,
    pub(super) cancelled: Option<i64>,
}

/// All products that a customer ever has, each once. `settled`: the customer joined early and
/// stays.
pub(super) fn holdings(draw: Draw, settled: bool) -> Vec<Holding> {
    // Half of the customers have fewer than about 28 seats, one in a hundred more than 600.
    let size = (3.35 + 1.35 * draw.on(0).bell()).exp().clamp(3.0, 3_000.0);
    let joined = if !settled && draw.on(1).chance(0.14) {
        draw.on(2).days(CHANGES.0, CHANGES.1)
    } else {
        draw.on(2).days(0, 2_600)
    };
    let left = (!settled && draw.on(3).chance(0.07)).then(|| {
        draw.on(4)
            .days(CHANGES.0.max(joined + 200), CHANGES.1 + 400)
    });

    let mut holdings: Vec<Holding> = Vec::with_capacity(6);
    let wanted = 1.0 + draw.on(5).between(0.0, 1.0).powf(1.4) * (2.2 + size.ln() * 0.8);
    for place in 0..u64::from(whole(wanted).clamp(1, 6)) {
        let own = draw.on(6).on(place);
        // Customers often have a second suite, for another kind of staff.
        let products: &'static [Product] = if place == 0 || own.on(0).chance(0.25) {
            &SUITES
        } else {
            &EXTRAS
        };
        let product = choose(own.on(1), products, size);
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
            own.on(4)
                .days(joined.max(CHANGES.0), CHANGES.1.max(joined + 300))
        };
        let cancelled = (product.retiring || (place > 0 && own.on(5).chance(0.15)))
            .then(|| own.on(6).days(CHANGES.0.max(bought + 120), CHANGES.1 + 300));
        holdings.push(Holding {
            product,
            channel: CHANNELS[0],
            draw: own.on(7),
            seats: (size * share).max(1.0),
            bought,
            cancelled: [left, cancelled].into_iter().flatten().min(),
        });
    }
    holdings
}

/// One of the products for a company of this size, at random by weight.
fn choose(draw: Draw, products: &'static [Product], size: f64) -> &'static Product {
    let fits = |product: &&Product| product.fits.0 <= size && size <= product.fits.1;
    let total: f64 = products
        .iter()
        .filter(fits)
        .map(|product| product.weight)
        .sum();
    let mut rest = draw.between(0.0, total);
    let mut chosen = &products[0];
    for product in products.iter().filter(fits) {
        chosen = product;
        rest -= product.weight;
        if rest < 0.0 {
            break;
        }
    }
    chosen
}

impl Holding {
    /// Whether the product is reported on a day.
    pub(super) fn is_reported(&self, day: i64) -> bool {
        day >= self.bought
            && self
                .cancelled
                .is_none_or(|cancelled| day < cancelled + REPORTED_DAYS)
    }

    /// The seats on a day; `None` if the product is not reported.
    pub(super) fn qualified(&self, day: i64) -> Option<u32> {
        if !self.is_reported(day) {
            return None;
        }
        if self
            .cancelled
            .is_some_and(|cancelled| day >= cancelled + GRACE_DAYS)
        {
            return Some(0);
        }
        // Seats change at most once a quarter: usually not at all, sometimes by a few more, and at
        // every fourth, the renewal, sometimes to fewer.
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

    /// How many of the seats are assigned: at least as many as people are active, and at most all.
    pub(super) fn deployed(&self, qualified: u32, date: NaiveDate) -> u32 {
        let draw = self.draw.on(5);
        let age = i32::try_from(day_number(date) - self.bought).map_or(0.0, f64::from);
        let ramp = 1.0 - (-age / draw.on(0).between(4.0, 30.0)).exp();
        let assigned = whole(f64::from(qualified) * draw.on(1).between(0.7, 1.02) * ramp);
        let used = self.product.workloads.iter();
        let used = used.map(|workload| self.active(workload, qualified, date));
        assigned.max(used.max().unwrap_or(0)).min(qualified)
    }

    /// The corrected figure of a day. About half of the figures change: up or down by at most 3 %,
    /// and by at least 1. A figure within `limit` stays within it.
    pub(super) fn corrected(&self, topic: &str, date: NaiveDate, figure: u32, limit: u32) -> u32 {
        let draw = self.draw.on(6).on(name_number(topic));
        let draw = draw.on(day_number(date).cast_unsigned());
        if limit == 0 || draw.on(0).chance(0.5) {
            return figure;
        }
        let step = whole(f64::from(figure) * draw.on(1).between(0.0, 0.03)).max(1);
        let may_rise = figure > limit || limit - figure >= step;
        if figure < step || (may_rise && draw.on(2).chance(0.5)) {
            figure + step
        } else {
            figure - step
        }
    }

    /// How many people were active in the workload during the 28 days up to `date`.
    pub(super) fn active(&self, workload: &Workload, qualified: u32, date: NaiveDate) -> u32 {
        let day = day_number(date);
        let draw = self.draw.on(1).on(name_number(workload.name));
        let overrun = draw.on(0).chance(workload.overrun_chance);
        let share = if overrun {
            draw.on(1).between(1.04, 1.45)
        } else if self.draw.on(2).chance(0.04) {
            // Bought but hardly ever used.
            draw.on(1).between(0.0, 0.03)
        } else {
            let spread = (0.5 * workload.typical_share).min(0.16);
            (workload.typical_share + spread * draw.on(1).bell()).clamp(0.0, 0.98)
        };
        let age = i32::try_from(day - self.bought).map_or(0.0, f64::from);
        let ramp = 1.0 - (-age / draw.on(2).between(12.0, 55.0)).exp();
        let drift = 1.0 + 0.06 * draw.on(3).wave(day, 45) + 0.025 * draw.on(4).wave(day, 5);
        let leaving = self.cancelled.map_or(1.0, |cancelled| {
            let since = i32::try_from(day - cancelled).unwrap_or(i32::MAX).max(0);
            f64::from(ACTIVITY_DAYS.saturating_sub(since).max(0)) / f64::from(ACTIVITY_DAYS)
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

/// The factor by which activity dips around New Year, in summer and at weekends.
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

// The FNV-1a hash of a name, so that a draw does not depend on the order of the catalogue.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::calendar::EPOCH;

    fn example(cancelled: Option<i64>) -> Holding {
        Holding {
            product: &SUITES[0],
            channel: CHANNELS[0],
            draw: Draw::new(5),
            seats: 40.0,
            bought: 100,
            cancelled,
        }
    }

    #[test]
    fn a_cancelled_product_falls_to_zero_and_is_then_no_longer_reported() {
        let holding = example(Some(900));
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
    fn assigned_seats_lie_between_the_active_and_the_sold_ones() {
        let holding = example(None);
        for day in 101..600 {
            let date = EPOCH + chrono::Duration::days(day);
            let sold = holding.qualified(day).unwrap();
            let deployed = holding.deployed(sold, date);
            assert!(deployed <= sold);
            for workload in holding.product.workloads {
                assert!(deployed >= holding.active(workload, sold, date).min(sold));
            }
        }
    }

    #[test]
    fn a_correction_moves_about_half_of_the_figures_a_little() {
        let holding = example(None);
        let mut moved = 0;
        for day in 0..400_u16 {
            let date = EPOCH + chrono::Duration::days(day.into());
            let figure = u32::from(day % 50);
            let corrected = holding.corrected("Teams", date, figure, 49);
            assert!(corrected <= 49, "{figure} became {corrected}");
            assert!(corrected.abs_diff(figure) <= 2);
            moved += u32::from(corrected != figure);
        }
        assert!((150..250).contains(&moved), "{moved} of 400");
        assert_eq!(holding.corrected("Teams", EPOCH, 0, 0), 0);
    }
}
