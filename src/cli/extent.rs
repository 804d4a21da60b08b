//! What a backfill is to fetch, in one word: the instance of a unit
//! `seatledger-backfill@INSTANCE.service`.

use std::str::FromStr;

use chrono::NaiveDate;

use super::Backfill;
use crate::ledger::CustomerId;

/// What a backfill is to fetch.
#[derive(Debug, Clone)]
pub(crate) enum Extent {
    All,
    /// The rest of the last backfill.
    Resume,
    Customer(CustomerId),
    /// Both ends are included.
    Dates(NaiveDate, NaiveDate),
}

impl FromStr for Extent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => return Ok(Self::All),
            "resume" => return Ok(Self::Resume),
            _ => {}
        }
        if let Ok(customer) = text.parse() {
            return Ok(Self::Customer(customer));
        }
        let (from, to) = text.split_once('_').unwrap_or((text, text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => Ok(Self::Dates(from, to)),
            _ => Err(
                "it is all, resume, the GUID of a customer, a date, or two dates such as \
                      2026-01-01_2026-03-31",
            ),
        }
    }
}

impl Backfill {
    /// Puts what `--extent` says into the other options.
    pub(crate) fn extend(&mut self) {
        match self.extent.take() {
            None | Some(Extent::All) => {}
            Some(Extent::Resume) => self.resume = true,
            Some(Extent::Customer(customer)) => self.customer = vec![customer],
            Some(Extent::Dates(from, to)) => {
                self.from = Some(from);
                self.to = Some(to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::Cli;

    /// The options that an extent stands for.
    fn options(extent: &str) -> Result<String, String> {
        let extent = format!("--extent={extent}");
        let cli = Cli::try_parse_from(["seatledger", "--backfill", &extent]);
        let mut backfill = cli.map_err(|error| error.to_string())?.backfill;
        backfill.extend();
        let dates = backfill.from.zip(backfill.to);
        Ok(format!(
            "{:?} {dates:?} {}",
            backfill.customer.len(),
            backfill.resume
        ))
    }

    #[test]
    fn an_instance_stands_for_the_options_of_a_backfill() {
        for (extent, expected) in [
            ("all", "0 None false"),
            ("resume", "0 None true"),
            ("DF0B2F6F-501F-43FC-91BA-27F9C1A52405", "1 None false"),
            ("2026-02-01", "0 Some((2026-02-01, 2026-02-01)) false"),
            (
                "2026-01-01_2026-03-31",
                "0 Some((2026-01-01, 2026-03-31)) false",
            ),
        ] {
            assert_eq!(options(extent).as_deref(), Ok(expected), "{extent}");
        }
    }

    #[test]
    fn another_instance_is_refused_with_what_would_be_right() {
        for extent in [
            "",
            "everything",
            "2026-01-01_",
            "2026-13-01",
            "2026-01-01_2026-02-01_x",
        ] {
            let refused = options(extent).unwrap_err();
            assert!(refused.contains("2026-01-01_2026-03-31"), "{refused}");
        }
    }
}
