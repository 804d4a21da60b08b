//! Whether the figures of each service and day are there: a row for each service, a cell for each
//! day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike as _, NaiveDate, Weekday};

use crate::pages::format;
use crate::store::{ServiceDay, ServiceStrip};

/// The table.
pub(super) struct Strip {
    pub(super) dates: Vec<DateHead>,
    pub(super) rows: Vec<StripRow>,
}

/// The head of a column.
pub(super) struct DateHead {
    pub(super) date: String,
    /// What is written over the column: one date a week.
    pub(super) label: Option<String>,
}

/// A service.
pub(super) struct StripRow {
    pub(super) service: String,
    /// None where the service had no days yet.
    pub(super) cells: Vec<Option<CellView>>,
    /// How many of its days are complete.
    pub(super) complete: String,
}

/// A day of a service. The letter and the rest are a word: "c" and "omplete".
pub(super) struct CellView {
    pub(super) class: &'static str,
    pub(super) letter: &'static str,
    pub(super) rest: &'static str,
    pub(super) date: String,
    /// Customers with figures, of those that were to have some.
    pub(super) counts: String,
}

impl Strip {
    pub(super) fn new(strips: &[ServiceStrip]) -> Self {
        let days = strips.iter().flat_map(|strip| &strip.days);
        let dates: BTreeSet<NaiveDate> = days.map(|day| day.date).collect();
        Self {
            rows: strips.iter().map(|strip| row(strip, &dates)).collect(),
            dates: dates.into_iter().map(head).collect(),
        }
    }
}

fn head(date: NaiveDate) -> DateHead {
    DateHead {
        date: format::date(date),
        label: (date.weekday() == Weekday::Mon).then(|| format::day(date)),
    }
}

fn row(strip: &ServiceStrip, dates: &BTreeSet<NaiveDate>) -> StripRow {
    let days: BTreeMap<NaiveDate, &ServiceDay> =
        strip.days.iter().map(|day| (day.date, day)).collect();
    let complete = strip.days.iter().filter(|day| day.state == "complete");
    StripRow {
        service: strip.service.clone(),
        complete: format!("{} of {}", complete.count(), strip.days.len()),
        cells: dates
            .iter()
            .map(|date| days.get(date).map(|day| cell(day)))
            .collect(),
    }
}

fn cell(day: &ServiceDay) -> CellView {
    let (class, letter, rest) = match day.state.as_str() {
        "complete" => ("c", "c", "omplete"),
        "partial" => ("p", "p", "artial"),
        _ => ("n", "n", "o figures"),
    };
    CellView {
        class,
        letter,
        rest,
        date: format::day(day.date),
        counts: format!(
            "{} of {}",
            format::count(day.stored),
            format::count(day.expected)
        ),
    }
}
