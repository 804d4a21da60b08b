//! A month as people write it on a command line: 2026-10.

use std::str::FromStr;

use chrono::{Datelike as _, NaiveDate};

/// A calendar month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month {
    first_day: NaiveDate,
}

impl Month {
    pub(crate) fn of(day: NaiveDate) -> Self {
        let first_day = day.with_day(1).expect("each month has a first day");
        Self { first_day }
    }

    pub(crate) fn first_day(self) -> NaiveDate {
        self.first_day
    }
}

impl FromStr for Month {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let day = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d");
        day.map(Self::of)
            .map_err(|_| "a month is written as its year and number, such as 2026-10")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_its_year_and_number() {
        let month: Month = "2026-10".parse().unwrap();
        assert_eq!(month.first_day().to_string(), "2026-10-01");
        for wrong in ["2026-13", "2026-10-01", "October", "", "2026"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }
}
