//! How things stand, judged for a person: the verdict, whether runs keep to the schedule, which
//! host leads, the consent of each, and what is to be done about customers that fail. Pure:
//! `status` and the front page say the same of the same.

mod consent;
mod reasons;

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use serde::Serialize;

use crate::printable::printable;
use crate::schedule::{PastRuns, Schedule, Timeliness};
use crate::span::span;
use crate::store::{
    Attention, LeaseName, LeaseRecord, LeaseState, NeedyCustomer, Overview, RunRecord,
};

pub(crate) use consent::{ShownConsent, describe_consents, main_consent};
pub(crate) use reasons::{rejection, trouble};

/// All that the status is about.
pub(crate) struct Standing {
    pub(crate) now: DateTime<Utc>,
    pub(crate) schedule: Schedule,
    pub(crate) past: PastRuns,
    pub(crate) timeliness: Timeliness,
    pub(crate) overview: Overview,
    pub(crate) attention: Attention,
    pub(crate) leader: Option<RecordedLeader>,
    /// None if no person signs in.
    pub(crate) consents: Option<Vec<ShownConsent>>,
    /// What is to be said of migrations that are not applied.
    pub(crate) upgrade: Option<String>,
}

impl Standing {
    /// Judges what was read. `has_sign_ins`: whether a person signs in.
    pub(crate) fn new(
        now: DateTime<Utc>,
        schedule: Schedule,
        mut overview: Overview,
        attention: Attention,
        has_sign_ins: bool,
    ) -> Self {
        let past = past_runs(&overview, now);
        let consents = std::mem::take(&mut overview.consents);
        Self {
            now,
            timeliness: schedule.timeliness(&past, now),
            schedule,
            past,
            leader: RecordedLeader::among(&overview.leases),
            consents: has_sign_ins.then(|| consent::shown(consents, now)),
            overview,
            attention,
            upgrade: None,
        }
    }

    /// Whether the last run stored nothing.
    pub(crate) fn last_run_failed(&self) -> bool {
        let last = self.overview.last_finished.as_ref();
        last.is_some_and(|run| !is_success(run))
    }

    /// The verdict, in a few sentences without names.
    pub(crate) fn verdict(&self) -> String {
        let sentences = [self.runs(), self.figures(), self.need()];
        let sentences: Vec<String> = sentences.into_iter().flatten().collect();
        sentences.join(" ")
    }

    /// What is to be said of the runs; nothing if all is well.
    fn runs(&self) -> Option<String> {
        let under_way = self.overview.running.as_ref().map(|run| {
            let since = self.schedule.in_zone(run.started_at);
            format!("A run has been under way since {since}.")
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

    /// Since when a customer needs a person.
    pub(crate) fn since(&self, customer: &NeedyCustomer) -> String {
        let day = self.day(self.schedule.date(customer.since));
        let ago = span(self.now - customer.since);
        if customer.was_ever_fetched {
            format!("since {day}, {ago}")
        } else {
            format!("never fetched since {day}, {ago}")
        }
    }

    /// A date for a person; the year only if it is another one.
    pub(crate) fn day(&self, date: NaiveDate) -> String {
        let mut day = date.format("%-d %B").to_string();
        if date.year() != self.schedule.date(self.now).year() {
            let _infallible = write!(day, " {}", date.year());
        }
        day
    }
}

/// What of `overview` tells whether runs keep to the schedule.
pub(crate) fn past_runs(overview: &Overview, now: DateTime<Utc>) -> PastRuns {
    let last = overview.last_finished.as_ref();
    let last_end = last.and_then(|run| run.finished_at);
    PastRuns {
        ledger_since: overview.ledger_since.unwrap_or(now),
        last_end,
        last_duration: last.and_then(|run| Some(last_end? - run.started_at)),
        last_success: overview.last_success_at,
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

/// The daemon that does the ticks, as its lease says.
#[derive(Debug, Serialize)]
pub(crate) struct RecordedLeader {
    pub(crate) host: String,
    pub(crate) since: DateTime<Utc>,
    pub(crate) renewed_at: DateTime<Utc>,
}

impl RecordedLeader {
    /// None if no daemon leads.
    pub(crate) fn among(leases: &[LeaseRecord]) -> Option<Self> {
        lease_of_leader(leases).and_then(Self::of)
    }

    /// None if its lease is free or has ended.
    fn of(lease: &LeaseRecord) -> Option<Self> {
        let is_held = lease.state == LeaseState::Held;
        Some(Self {
            host: lease.host.clone().filter(|_| is_held)?,
            since: lease.acquired_at?,
            renewed_at: lease.renewed_at?,
        })
    }
}

/// The lease of the daemon that does the ticks, whether it is held or not.
pub(crate) fn lease_of_leader(leases: &[LeaseRecord]) -> Option<&LeaseRecord> {
    let mut leases = leases.iter();
    leases.find(|lease| lease.name == LeaseName::Leader.as_str())
}
