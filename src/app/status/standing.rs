//! What was read for the status, and the verdict. Pure.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};

use super::Leader;
use super::consent::ShownConsent;
use crate::printable::printable;
use crate::schedule::{PastRuns, Schedule, Timeliness};
use crate::store::{Attention, Overview, RunRecord};

/// All that the status is about.
pub(super) struct Standing {
    pub(super) now: DateTime<Utc>,
    pub(super) schedule: Schedule,
    pub(super) past: PastRuns,
    pub(super) timeliness: Timeliness,
    pub(super) overview: Overview,
    pub(super) attention: Attention,
    pub(super) leader: Option<Leader>,
    /// None if no person signs in.
    pub(super) consents: Option<Vec<ShownConsent>>,
    /// What is to be said of migrations that are not applied.
    pub(super) upgrade: Option<String>,
}

impl Standing {
    /// Whether the last run stored nothing.
    pub(super) fn last_run_failed(&self) -> bool {
        let last = self.overview.last_finished.as_ref();
        last.is_some_and(|run| !is_success(run))
    }

    /// The verdict, in a few sentences without names.
    pub(super) fn verdict(&self) -> String {
        let sentences = [self.runs(), self.figures(), self.need()];
        let sentences: Vec<String> = sentences.into_iter().flatten().collect();
        sentences.join(" ")
    }

    /// What is to be said of the runs; nothing if all is well.
    fn runs(&self) -> Option<String> {
        let under_way = self.overview.running.as_ref().map(|run| {
            let since = self.schedule.in_zone(run.started_at);
            format!("A run is under way since {since}.")
        });
        let failed = || {
            let run = self.overview.last_finished.as_ref();
            let run = run.filter(|run| !is_success(run))?;
            Some(format!("run {} {}", run.run_id, describe_end(run)))
        };
        let nobody = || "no daemon runs".to_owned();
        let said = match (self.timeliness, self.past.last_success) {
            (Timeliness::Overdue, since) => {
                let since = since.map_or_else(
                    || "yet".to_owned(),
                    |since| format!("since {}", self.day(self.schedule.date(since))),
                );
                let why = failed().or_else(|| self.leader.is_none().then(nobody));
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                Some(format!("No run has succeeded {since}{why}."))
            }
            (Timeliness::Late, _) => {
                let last = self.past.last_end.unwrap_or(self.past.ledger_since);
                let tick = self.schedule.next_after(last);
                let tick = tick.map_or_else(String::new, |tick| {
                    format!(" of {}", self.schedule.in_zone(tick))
                });
                let why = under_way
                    .is_none()
                    .then(|| self.leader.is_none().then(nobody))
                    .flatten();
                let why = why.map_or_else(String::new, |why| format!(": {why}"));
                Some(format!("The run{tick} is late{why}."))
            }
            (Timeliness::OnTime, _) if self.last_run_failed() => {
                failed().map(|failed| format!("The last run, {failed}."))
            }
            (Timeliness::OnTime, None) if under_way.is_none() => {
                Some("No run has ended yet.".to_owned())
            }
            (Timeliness::OnTime, _) => None,
        };
        match (said, under_way) {
            (Some(said), Some(under_way)) => Some(format!("{said} {under_way}")),
            (said, under_way) => said.or(under_way),
        }
    }

    /// How recent the figures are.
    fn figures(&self) -> Option<String> {
        let figures = self.overview.figures?;
        self.past.last_success?;
        let Some(date) = figures.newest_processed_date else {
            return Some("No customer has figures yet.".to_owned());
        };
        let date = self.day(date);
        let states = figures.customers;
        let with_products = states.active + states.stale + states.failing;
        Some(match (self.timeliness, states.active) {
            (Timeliness::Overdue, _) => format!("The newest figures are of {date}."),
            (_, active) if active == with_products => format!(
                "{} with products {} up to date, figures of {date}.",
                if active == 1 {
                    "The only customer".to_owned()
                } else {
                    format!("All {active} customers")
                },
                if active == 1 { "is" } else { "are" },
            ),
            (_, active) => format!(
                "{active} of {with_products} customers with products are up to date, figures of \
                 {date}."
            ),
        })
    }

    fn need(&self) -> Option<String> {
        match self.attention.total {
            0 => None,
            1 => Some("1 needs you.".to_owned()),
            total => Some(format!("{total} need you.")),
        }
    }

    /// A date for a person; the year only if it is another one.
    pub(super) fn day(&self, date: NaiveDate) -> String {
        let mut day = date.format("%-d %B").to_string();
        if date.year() != self.schedule.date(self.now).year() {
            let _infallible = write!(day, " {}", date.year());
        }
        day
    }
}

fn is_success(run: &RunRecord) -> bool {
    matches!(run.outcome.as_str(), "succeeded" | "partial")
}

/// How a run ended that stored nothing.
fn describe_end(run: &RunRecord) -> String {
    match &run.detail {
        Some(detail) => format!("{}: {}", run.outcome, printable(detail)),
        None => run.outcome.clone(),
    }
}
