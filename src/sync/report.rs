//! What a run has to say of itself: totals, failures, outcome. Its JSON form is an interface.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Serialize, ser};

use crate::ledger::{CustomerId, FailureReason, RowCounts, TrafficCounts};
use crate::partner_center::ApiError;
use crate::retry::{Classify as _, Remedy, RetryError};
use crate::shutdown::Stopped;
use crate::store::{FinishedRun, RunOutcome, StoreError};

use super::customers::CustomersError;
use super::dated::DateOutcomes;
use crate::causes::with_causes;

/// Failures shown to a person; the rest is in the table.
const SHOWN_FAILURES: usize = 20;

/// Those of them that are shown of failures in the same words.
const SHOWN_ALIKE: usize = 3;

/// Nothing further can succeed in this run, or it cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No call can be made: there is no token, or no way to the API before a person has acted.
    #[error(transparent)]
    Api(Arc<ApiError>),
    /// The database cannot be used, or was away for too long.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no list of customers.
    #[error(transparent)]
    Customers(#[from] CustomersError),
    /// The names of the ledger are in another language than those asked for.
    #[error(
        "the ledger's product and workload names were asked for in {known}, and partner_center.locale is {asked}: every series would begin anew under other names; set partner_center.locale = \"{known}\", or partner_center.allow_locale_change = true to go on all the same"
    )]
    Locale {
        /// Of the ledger.
        known: String,
        /// Of the configuration.
        asked: String,
    },
    /// What the API answered, or did not, let nothing further be expected of it.
    #[error(transparent)]
    Halted(#[from] Halt),
    /// While the database was away another process took the run lock and found this run left
    /// behind.
    #[error(
        "after the database came back this run was no longer on record as under way: another process marked it as interrupted, or the record was lost"
    )]
    Superseded,
    /// The program was asked to stop.
    #[error("stopped")]
    Stopped,
}

/// Why a run that was under way begins no further customer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Halt {
    /// No call was answered any more.
    #[error(
        "Partner Center has not answered a single call for {} s, so the run ended early; the last failure: {last}",
        silence.as_secs()
    )]
    ApiDown {
        /// For how long.
        silence: Duration,
        /// What the last customer's failure said.
        last: String,
    },
    /// Every customer was refused alike, so that it is not the customers.
    #[error("all of the first {customers} customers were refused, so the run ended early: {kind}")]
    AllRefused {
        /// How many.
        customers: u64,
        /// The refusal in words, with what to do.
        kind: String,
    },
}

/// The end of a call or a request for a token.
impl From<RetryError<ApiError>> for RunError {
    fn from(error: RetryError<ApiError>) -> Self {
        match error.into_error() {
            Ok(error) => error.into(),
            Err(Stopped) => Self::Stopped,
        }
    }
}

impl From<ApiError> for RunError {
    fn from(error: ApiError) -> Self {
        Self::Api(Arc::new(error))
    }
}

impl RunError {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Api(error) => error.remedy(),
            Self::Store(error) => error.remedy(),
            Self::Customers(error) => error.remedy(),
            Self::Locale { .. } => Remedy::Configuration,
            Self::Halted(_) | Self::Superseded | Self::Stopped => Remedy::Time,
        }
    }
}

/// How many customers came to what.
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
    /// Who.
    pub customer_id: CustomerId,
    /// As it is shown to a person at a terminal. Not part of the summary's JSON form.
    #[serde(skip)]
    pub customer_name: Option<String>,
    /// The class.
    pub reason: FailureReason,
    /// In words.
    pub detail: String,
}

/// A finished run.
#[derive(Debug)]
pub struct Report {
    /// None for a dry run, which records nothing. The last, where this sums several up.
    pub run_id: Option<i64>,
    /// The first, where this sums several up.
    pub first_run_id: Option<i64>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How many customers came to what.
    pub customers: CustomerCounts,
    /// What became of the items.
    pub rows: RowCounts,
    /// Calls to the API.
    pub http: TrafficCounts,
    /// Every failure, in the order in which they were recorded.
    pub failures: Vec<FailedCustomer>,
    /// Why the run could not go on.
    pub fatal: Option<RunError>,
    /// What else a person should know of it.
    pub notes: Vec<String>,
    /// Whether it ended before every customer on its list was asked for.
    pub ended_early: bool,
    /// Requests per second that the API was found to allow.
    pub learned_rate: Option<f64>,
    /// Rows of the date asked for, in a pass of a dated backfill.
    pub rows_of_date: u64,
    /// What became of each date, where this sums a dated backfill up.
    pub dates: Option<DateOutcomes>,
}

impl Report {
    /// Of a backfill that had nothing to do.
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

    /// The failures that a person is shown: a few of those in the same words, so that others are
    /// seen among them.
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

    /// As it goes into the table.
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
        let mut object = serializer.serialize_struct("Report", 8 + notes + dates)?;
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

/// For a person.
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
            "  customers  {} of {} stored, {} failed",
            customers.succeeded, customers.total, customers.failed
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
                write!(f, " ({name})")?;
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
                "  and {hidden} more: select * from sync_customer where {runs} and outcome = 'failed'"
            )?;
        }
        if let (Some(runs), 1..) = (&runs, rows.rejected) {
            writeln!(f, "  rejected:  select * from rejected_row where {runs}")?;
        }
        Ok(())
    }
}
