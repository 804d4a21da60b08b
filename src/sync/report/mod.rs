//! What a run reports: its progress, and at its end totals, failures and outcome. The JSON form is
//! an interface.

mod progress;
mod record;

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Serialize, ser};
use uuid::Uuid;

use super::error::RunError;
use crate::causes::with_causes;
use crate::ledger::{Customer, CustomerId, Failure, FailureReason, RowCounts, TrafficCounts};
use crate::printable::isolated;
use crate::store::{FinishedRun, RunOutcome};

pub(super) use progress::enter;
pub use progress::{DatesProgress, Phase, Progress};

/// The version of the JSON form.
const JSON_VERSION: u32 = 1;

/// Failures in the summary for a person. The rest is in `sync_customer`.
const SHOWN_FAILURES: usize = 20;

/// Failures with the same words in that summary. With more, they would crowd out other causes.
const SHOWN_ALIKE: usize = 3;

/// The customers of a run, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct CustomerCounts {
    /// On the list.
    pub total: u64,
    /// Fetched and stored.
    pub succeeded: u64,
    /// Recorded as failed.
    pub failed: u64,
}

/// One customer's failure, in the summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedCustomer {
    /// The customer.
    pub customer_id: CustomerId,
    /// For a person at a terminal; not part of the JSON form.
    #[serde(skip)]
    pub customer_name: Option<String>,
    /// The class of failure.
    pub reason: FailureReason,
    /// The failure in words.
    pub detail: String,
    /// The header `MS-RequestId` of the call that failed.
    pub ms_request_id: Option<Uuid>,
    /// The header `MS-CorrelationId` of that call.
    pub ms_correlation_id: Option<Uuid>,
}

impl FailedCustomer {
    pub(super) fn new(customer: &Customer, failure: &Failure) -> Self {
        Self {
            customer_id: customer.id,
            customer_name: customer.name.clone(),
            reason: failure.reason,
            detail: failure.detail.clone(),
            ms_request_id: failure.call.map(|call| call.request),
            ms_correlation_id: failure.call.map(|call| call.correlation),
        }
    }
}

/// What became of each date of a dated backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateOutcomes {
    /// The first date.
    pub from: NaiveDate,
    /// The last date.
    pub to: NaiveDate,
    /// Dates with stored rows, newest first.
    pub stored: Vec<NaiveDate>,
    /// Dates that were complete before and not requested.
    pub skipped: Vec<NaiveDate>,
    /// Dates without any row.
    pub empty: Vec<NaiveDate>,
    /// Dates that could not be fetched and stored as a whole.
    pub failed: Vec<NaiveDate>,
}

/// A finished run, or the passes of a dated backfill.
#[derive(Debug)]
pub struct Report {
    /// None for a dry run, which is not recorded. For a dated backfill, the last pass.
    pub run_id: Option<i64>,
    /// For a dated backfill, the first pass.
    pub first_run_id: Option<i64>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// The customers, by result.
    pub customers: CustomerCounts,
    /// The items, by result.
    pub rows: RowCounts,
    /// Calls to the API.
    pub http: TrafficCounts,
    /// All failed customers, in the order in which they were recorded.
    pub failures: Vec<FailedCustomer>,
    /// Why the run could not go on.
    pub fatal: Option<RunError>,
    /// What else a person should know about the run.
    pub notes: Vec<String>,
    /// Whether it ended before every customer on its list had been asked for.
    pub ended_early: bool,
    /// Requests per second that the API was found to allow.
    pub learned_rate: Option<f64>,
    /// Rows of the requested date, in a pass of a dated backfill.
    pub rows_of_date: u64,
    /// The dates of a dated backfill, by result.
    pub dates: Option<DateOutcomes>,
}

impl Report {
    /// The report of a backfill that had nothing to do.
    #[must_use]
    pub fn nothing(now: DateTime<Utc>) -> Self {
        Self {
            run_id: None,
            first_run_id: None,
            outcome: RunOutcome::Succeeded,
            started_at: now,
            finished_at: now,
            customers: CustomerCounts::default(),
            rows: RowCounts::default(),
            http: TrafficCounts::default(),
            failures: Vec::new(),
            fatal: None,
            notes: Vec::new(),
            ended_early: false,
            learned_rate: None,
            rows_of_date: 0,
            dates: None,
        }
    }

    /// The failures in the summary for a person: of those with the same words only a few, so that
    /// other causes are seen.
    #[must_use]
    pub fn examples(&self) -> Vec<&FailedCustomer> {
        let mut alike: HashMap<(FailureReason, &str), usize> = HashMap::new();
        let mut examples = Vec::new();
        for failure in &self.failures {
            let words = (failure.reason, failure.detail.as_str());
            let count = alike.entry(words).or_default();
            *count += 1;
            if *count <= SHOWN_ALIKE && examples.len() < SHOWN_FAILURES {
                examples.push(failure);
            }
        }
        examples
    }

    /// The run's row in the table.
    pub(super) fn to_record(&self) -> FinishedRun {
        FinishedRun {
            outcome: self.outcome,
            detail: self
                .fatal
                .iter()
                .map(with_causes)
                .chain(self.notes.iter().cloned())
                .reduce(|detail, next| format!("{detail}; {next}")),
            ended_early: self.ended_early,
            learned_rate: self.learned_rate,
            finished_at: self.finished_at,
            customers_total: self.customers.total,
            customers_succeeded: self.customers.succeeded,
            customers_failed: self.customers.failed,
            rows: self.rows,
            http: self.http,
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let notes = usize::from(!self.notes.is_empty());
        let dates = usize::from(self.dates.is_some());
        let mut object = serializer.serialize_struct("Report", 9 + notes + dates)?;
        object.serialize_field("version", &JSON_VERSION)?;
        object.serialize_field("run_id", &self.run_id)?;
        object.serialize_field("outcome", &self.outcome)?;
        object.serialize_field("started_at", &time(self.started_at))?;
        object.serialize_field("finished_at", &time(self.finished_at))?;
        object.serialize_field("customers", &self.customers)?;
        object.serialize_field("rows", &self.rows)?;
        object.serialize_field("http", &self.http)?;
        object.serialize_field("failures", &self.failures)?;
        if notes > 0 {
            object.serialize_field("notes", &self.notes)?;
        }
        if let Some(dates) = &self.dates {
            object.serialize_field("dates", dates)?;
        }
        ser::SerializeStruct::end(object)
    }
}

/// The summary for a person.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (customers, rows, http) = (&self.customers, &self.rows, &self.http);
        let name = match (&self.dates, self.run_id) {
            (Some(dates), _) => format!("Backfill from {} to {}", dates.from, dates.to),
            (None, Some(id)) => format!("Run {id}"),
            (None, None) => "Dry run".to_owned(),
        };
        let took = self.finished_at - self.started_at;
        let outcome = match self.outcome {
            RunOutcome::Succeeded => "succeeded",
            RunOutcome::Partial => "succeeded in part",
            RunOutcome::Failed => "failed",
            RunOutcome::Interrupted => "was interrupted",
        };
        writeln!(
            f,
            "{name} {outcome} after {:.2} s",
            took.as_seconds_f64().max(0.0)
        )?;
        writeln!(
            f,
            "  customers  {} of {} {}, {} failed",
            customers.succeeded,
            customers.total,
            // A dry run stores nothing.
            self.run_id.map_or("fetched", |_| "stored"),
            customers.failed
        )?;
        writeln!(
            f,
            "  rows       {} received: {} new, {} changed, {} unchanged, {} rejected",
            rows.received, rows.inserted, rows.updated, rows.unchanged, rows.rejected
        )?;
        writeln!(
            f,
            "  requests   {}, {} of them retries, {} throttled",
            http.requests, http.retries, http.throttled
        )?;
        if let Some(dates) = &self.dates {
            writeln!(
                f,
                "  dates      {} stored, {} complete before, {} empty, {} not complete",
                dates.stored.len(),
                dates.skipped.len(),
                dates.empty.len(),
                dates.failed.len()
            )?;
        }
        for note in &self.notes {
            writeln!(f, "  note       {note}")?;
        }
        let shown = self.examples();
        for failure in &shown {
            write!(f, "  failed     {}", failure.customer_id)?;
            if let Some(name) = &failure.customer_name {
                write!(f, " ({})", isolated(name))?;
            }
            writeln!(f, "  {}: {}", failure.reason.as_str(), failure.detail)?;
        }
        let hidden = self.failures.len() - shown.len();
        let runs = match (self.first_run_id, self.run_id) {
            (Some(first), Some(last)) if first < last => {
                Some(format!("run_id between {first} and {last}"))
            }
            (_, run_id) => run_id.map(|run_id| format!("run_id = {run_id}")),
        };
        if let (Some(runs), 1..) = (&runs, hidden) {
            writeln!(
                f,
                "  and {hidden} more: select * from sync_customer where {runs} and outcome = \
                 'failed'"
            )?;
        }
        if let (Some(runs), 1..) = (&runs, rows.rejected) {
            writeln!(f, "  rejected:  select * from rejected_row where {runs}")?;
        }
        Ok(())
    }
}
