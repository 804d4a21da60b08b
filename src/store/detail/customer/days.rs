//! Of which days a customer's figures are shown.

use chrono::{Datelike as _, Days, Months, NaiveDate};

/// The days of the strip, of the list of corrections and of a page's lines.
const STRIP_DAYS: u64 = 91;

/// How many weeks the lines of a report go back.
const LINE_WEEKS: u64 = 52;

/// The first and the last date of usage in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LedgerDates {
    /// The oldest processed date.
    pub(crate) oldest: NaiveDate,
    /// The newest processed date.
    pub(crate) newest: NaiveDate,
}

/// Of which days a customer's figures are wanted.
#[derive(Debug, Clone)]
pub(crate) struct DetailDays {
    /// Whether the figures are those of now, which may be older than `until`.
    pub(crate) is_now: bool,
    /// The first day of what is listed by day.
    pub(crate) since: NaiveDate,
    /// The last day.
    pub(crate) until: NaiveDate,
    /// The days that `until` is compared with, newest first.
    pub(crate) past: Vec<NaiveDate>,
    /// The days of the lines, oldest first.
    pub(super) line: Vec<NaiveDate>,
    /// Where the ledger begins. Days before have no figures.
    oldest: NaiveDate,
}

impl DetailDays {
    /// Now, and 7, 30, 91 and 365 days ago, counted from the newest date; from today while the
    /// ledger is empty.
    pub(crate) fn now(ledger: Option<LedgerDates>, today: NaiveDate) -> Self {
        let until = ledger.map_or(today, |ledger| ledger.newest);
        let since = until - Days::new(STRIP_DAYS - 1);
        Self {
            is_now: true,
            since,
            until,
            past: [7, 30, 91, 365].map(|days| until - Days::new(days)).into(),
            line: since.iter_days().take_while(|day| *day <= until).collect(),
            oldest: ledger.map_or(today, |ledger| ledger.oldest),
        }
    }

    /// The months from that of `first` to that of `last`, as far as the ledger has them, compared
    /// with the day before them, and with 91 and 365 days before their end. None if the ledger has
    /// nothing of them.
    pub(crate) fn of_months(
        ledger: LedgerDates,
        first: NaiveDate,
        last: NaiveDate,
    ) -> Option<Self> {
        let until = end_of_month(last).min(ledger.newest);
        let since = first.max(ledger.oldest).with_day(1)?;
        let weeks = (0..=LINE_WEEKS).rev();
        (since <= until && until >= ledger.oldest).then(|| Self {
            is_now: false,
            since,
            until,
            past: vec![
                since - Days::new(1),
                until - Days::new(91),
                until - Days::new(365),
            ],
            line: weeks.map(|weeks| until - Days::new(7 * weeks)).collect(),
            oldest: ledger.oldest,
        })
    }

    /// Whether the ledger has figures of a day.
    pub(super) fn reaches(&self, day: NaiveDate) -> bool {
        day >= self.oldest
    }

    /// The last month that the ledger has to its end, or else the newest one.
    pub(crate) fn last_full_month(ledger: LedgerDates) -> NaiveDate {
        let newest = ledger.newest;
        let before = newest - Months::new(1);
        if end_of_month(newest) == newest || end_of_month(before) < ledger.oldest {
            newest
        } else {
            before
        }
    }
}

fn end_of_month(day: NaiveDate) -> NaiveDate {
    let first = day.with_day(1).expect("each month has a first day");
    first + Months::new(1) - Days::new(1)
}
