//! Decides how rows that were just stored change the newest rows of a customer's months. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use uuid::Uuid;

use super::super::digest::CustomerDateRows;

/// A customer's month; the month is its first day, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MonthKey {
    pub(super) month: NaiveDate,
    pub(super) customer: Uuid,
}

impl MonthKey {
    pub(super) fn of(date: &CustomerDateRows<'_>) -> Self {
        let day = date.at.date_naive();
        Self {
            month: day.with_day(1).unwrap_or(day),
            customer: date.customer,
        }
    }
}

/// What `license_usage_month` has of a customer's month.
#[derive(Debug)]
pub(super) struct StoredMonth {
    pub(super) month: NaiveDate,
    /// Whether it has rows that are the newest of their series in the whole ledger.
    pub(super) newest: bool,
    /// A hash of all texts of its rows; none where it is not known.
    pub(super) texts_hash: Option<i64>,
    /// The newest processed date.
    pub(super) last: Option<DateTime<Utc>>,
}

/// The stored months that a decision needs, by customer.
pub(super) type StoredMonths = HashMap<Uuid, Vec<StoredMonth>>;

/// A customer's first rows of a month.
pub(super) struct FirstRows<'a> {
    pub(super) rows: &'a CustomerDateRows<'a>,
    /// Whether they are the newest of their series in the whole ledger.
    pub(super) newest: bool,
}

/// What to do with each month.
#[derive(Default)]
pub(super) struct RefreshPlan<'a> {
    /// Months that receive one date, of customers that receive no other.
    pub(super) incoming: BTreeMap<MonthKey, &'a CustomerDateRows<'a>>,
    /// Rows to insert.
    pub(super) first: Vec<FirstRows<'a>>,
    /// Rows that replace those of an earlier date.
    pub(super) next: Vec<&'a CustomerDateRows<'a>>,
    /// Months whose rows are no longer the newest of their series.
    pub(super) demoted: Vec<MonthKey>,
    /// Months to collect from the ledger again.
    pub(super) collected: BTreeSet<MonthKey>,
}

impl<'a> RefreshPlan<'a> {
    /// `fresh` are dates that had no rows before, `changed` dates that had some.
    pub(super) fn new(
        fresh: &[&'a CustomerDateRows<'a>],
        changed: &[&CustomerDateRows<'_>],
    ) -> Self {
        let mut dates_of = HashMap::<Uuid, usize>::new();
        for date in fresh {
            *dates_of.entry(date.customer).or_default() += 1;
        }
        let mut plan = Self {
            collected: changed.iter().map(|date| MonthKey::of(date)).collect(),
            ..Self::default()
        };
        for date in fresh {
            let key = MonthKey::of(date);
            // Of several dates, each series may have another newest one; the ledger finds it.
            if dates_of.get(&date.customer) == Some(&1) && !plan.collected.contains(&key) {
                plan.incoming.insert(key, date);
            } else {
                plan.collected.insert(key);
            }
        }
        plan
    }

    /// Decides about the incoming dates. `stored` holds their months and, of their customers, all
    /// months with newest rows.
    pub(super) fn decide(&mut self, stored: &StoredMonths) {
        let incoming: Vec<_> = self
            .incoming
            .iter()
            .map(|(key, date)| (*key, *date))
            .collect();
        for (key, date) in incoming {
            let of_customer = stored.get(&key.customer).map_or(&[][..], Vec::as_slice);
            self.decide_one(key, date, of_customer);
        }
    }

    fn decide_one(
        &mut self,
        key: MonthKey,
        date: &'a CustomerDateRows<'a>,
        stored: &[StoredMonth],
    ) {
        let same_texts = |stored: &StoredMonth| stored.texts_hash == Some(date.texts_hash);
        if let Some(stored) = stored.iter().find(|stored| stored.month == key.month) {
            if same_texts(stored) && stored.last.is_some_and(|last| last < date.at) {
                self.next.push(date);
            } else {
                self.collected.insert(key);
            }
            return;
        }
        let others = || stored.iter().filter(|stored| stored.newest);
        if !others().all(same_texts) {
            self.collected.insert(key);
            return;
        }
        // Each month has the same series, so the rows of the last month are the newest.
        let newest = others().all(|stored| stored.month < key.month);
        if newest {
            self.demoted.extend(others().map(|stored| MonthKey {
                month: stored.month,
                ..key
            }));
        }
        self.first.push(FirstRows { rows: date, newest });
    }

    /// Collects the months of [`RefreshPlan::next`] as well.
    pub(super) fn collect_next(&mut self) {
        let next = self.next.iter().map(|date| MonthKey::of(date));
        self.collected.extend(next);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::digest::tests::{row, spelled};
    use super::super::super::digest::{LedgerRow, by_date};
    use super::*;
    use crate::ledger::UsageRow;

    /// Decides about one date of one customer, of which `stored` are the months.
    fn decided(
        at: &str,
        stored: &[(&str, bool, bool, &str)],
        check: impl FnOnce(&RefreshPlan<'_>),
    ) {
        let usage = row(at);
        let rows = [spelled(&usage)];
        let dates = by_date(&rows);
        let date = &dates[0];
        let months = stored
            .iter()
            .map(|(month, newest, same, last)| StoredMonth {
                month: month.parse().unwrap(),
                newest: *newest,
                texts_hash: same.then_some(date.texts_hash),
                last: Some(last.parse().unwrap()),
            });
        let stored = StoredMonths::from([(date.customer, months.collect())]);
        let mut plan = RefreshPlan::new(&[date], &[]);
        plan.decide(&stored);
        check(&plan);
    }

    const FEBRUARY: (&str, bool, bool, &str) = ("2026-02-01", true, true, "2026-02-28T00:00:00Z");

    #[test]
    fn a_customers_first_rows_are_the_newest() {
        decided("2026-03-01T00:00:00Z", &[], |plan| {
            assert!(plan.first.len() == 1 && plan.first[0].newest);
            assert!(plan.next.is_empty() && plan.demoted.is_empty() && plan.collected.is_empty());
        });
    }

    #[test]
    fn the_first_rows_of_a_later_month_demote_those_of_the_earlier_one() {
        decided("2026-03-01T00:00:00Z", &[FEBRUARY], |plan| {
            assert!(plan.first.len() == 1 && plan.first[0].newest);
            assert_eq!(plan.demoted.len(), 1);
            assert_eq!(plan.demoted[0].month.to_string(), "2026-02-01");
        });
    }

    #[test]
    fn the_first_rows_of_an_earlier_month_are_not_the_newest() {
        decided("2026-01-31T23:59:59Z", &[FEBRUARY], |plan| {
            assert!(plan.first.len() == 1 && !plan.first[0].newest);
            assert!(plan.demoted.is_empty() && plan.collected.is_empty());
        });
    }

    #[test]
    fn a_later_date_with_the_same_texts_replaces_the_rows_of_its_month() {
        let march = ("2026-03-01", true, true, "2026-03-04T00:00:00Z");
        decided("2026-03-05T00:00:00Z", &[march], |plan| {
            assert_eq!(plan.next.len(), 1);
            assert!(plan.first.is_empty() && plan.collected.is_empty());
        });
        for (at, same) in [
            ("2026-03-03T00:00:00Z", true),
            ("2026-03-05T00:00:00Z", false),
        ] {
            let march = ("2026-03-01", true, same, "2026-03-04T00:00:00Z");
            decided(at, &[march], |plan| {
                assert_eq!(plan.collected.len(), 1, "{at}");
                assert!(plan.first.is_empty() && plan.next.is_empty());
            });
        }
    }

    #[test]
    fn a_month_is_collected_if_another_has_newest_rows_of_other_series() {
        let other = ("2026-02-01", true, false, "2026-02-28T00:00:00Z");
        decided("2026-03-01T00:00:00Z", &[other], |plan| {
            assert_eq!(plan.collected.len(), 1);
            assert!(plan.first.is_empty() && plan.demoted.is_empty());
        });
    }

    #[test]
    fn several_dates_of_a_customer_and_changed_dates_are_collected() {
        let usage: Vec<UsageRow> = ["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"]
            .map(row)
            .into();
        let rows: Vec<LedgerRow<'_>> = usage.iter().map(spelled).collect();
        let dates = by_date(&rows);
        let dates: Vec<_> = dates.iter().collect();
        let plan = RefreshPlan::new(&dates, &[]);
        assert!(plan.incoming.is_empty());
        assert_eq!(plan.collected.len(), 2);
        let plan = RefreshPlan::new(&dates[..1], &dates[..1]);
        assert!(plan.incoming.is_empty());
        assert_eq!(plan.collected.len(), 1);
        let plan = RefreshPlan::new(&dates[..1], &dates[1..]);
        assert_eq!((plan.incoming.len(), plan.collected.len()), (1, 1));
    }
}
