//! What a run has recorded so far, and what that says about the run as a whole.

use chrono::NaiveDate;
use tracing::error;

use super::early_end::{OutageLimit, RunVerdict, Silence, Streaks};
use super::failures::{FailureGroups, FailureKind};
use super::report::{CustomerCounts, FailedCustomer};
use crate::ledger::{CustomerOutcome, Dataset, Failure, FailureReason, Row, RowCounts};
use crate::partner_center::{AuthError, advice_for_many};
use crate::store::RunOutcome;

/// Customers that had usage in the last run and lost it, from which on that is reported as a fault
/// of the API. A few at a time do give up their licences.
const MANY_WITHOUT_USAGE: u64 = 10;

/// What a run has recorded so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) customers: CustomerCounts,
    pub(super) rows: RowCounts,
    pub(super) failures: Vec<FailedCustomer>,
    /// What a person should know about the run, beside its counts.
    pub(super) notes: Vec<String>,
    /// Rows of the requested date.
    pub(super) rows_of_date: u64,
    /// The processed date that was requested; none: the newest figures.
    requested: Option<NaiveDate>,
    interrupted: u64,
    /// Customers that had usage in the last run and have it again, and those that lost it.
    kept_usage: u64,
    lost_usage: u64,
    /// Customers whose collection announced more items than it held.
    short: u64,
    groups: FailureGroups,
    streaks: Streaks,
    /// Whether a dataset failed for all customers while the other one was stored.
    is_dataset_missing: bool,
}

impl Tally {
    pub(super) fn new(requested: Option<NaiveDate>) -> Self {
        Self {
            requested,
            ..Self::default()
        }
    }

    /// Adds a customer's outcome as it was stored.
    pub(super) fn add(&mut self, outcome: &CustomerOutcome, rows: RowCounts) {
        self.rows += rows;
        let usage = outcome.usage.rows.iter().map(Row::processed_date_time);
        let deployment = outcome.deployment.rows.iter().map(Row::processed_date_time);
        let of_date = usage
            .chain(deployment)
            .filter(|date| Some(date.date_naive()) == self.requested)
            .count();
        self.rows_of_date += of_date as u64;
        let is_short = outcome.usage.is_short || outcome.deployment.is_short;
        self.short += u64::from(is_short);
        match &outcome.failure {
            None => self.add_success(outcome),
            Some(failure) => self.add_failure(outcome, failure),
        }
    }

    /// Counts a customer as failed that was counted as stored. One that was counted as failed
    /// stays as it is.
    pub(super) fn replace(&mut self, outcome: &CustomerOutcome) {
        let id = outcome.customer.id;
        if self.failures.iter().any(|failed| failed.customer_id == id) {
            return;
        }
        self.customers.succeeded = self.customers.succeeded.saturating_sub(1);
        self.add(outcome, RowCounts::default());
    }

    fn add_success(&mut self, outcome: &CustomerOutcome) {
        self.customers.succeeded += 1;
        self.groups.add_success();
        self.streaks.add(outcome, None);
        if outcome.customer.history.had_usage {
            let is_lost = outcome.usage.rows.is_empty();
            self.lost_usage += u64::from(is_lost);
            self.kept_usage += u64::from(!is_lost);
        }
    }

    fn add_failure(&mut self, outcome: &CustomerOutcome, failure: &Failure) {
        self.customers.failed += 1;
        if failure.reason == FailureReason::Interrupted {
            self.interrupted += 1;
        }
        let kind = FailureKind::of(failure, outcome.http_status);
        if !self.groups.is_reported(&kind) {
            self.streaks.add(outcome, Some(&kind));
        }
        self.groups.add(&kind, outcome, failure);
        let failed = FailedCustomer::new(&outcome.customer, failure);
        self.failures.push(failed);
    }

    /// Reports a partner-wide dataset that failed as a whole, so that it is not reported for each
    /// customer. Where the other dataset `is_stored`, it is a failure of the run and of no
    /// customer.
    pub(super) fn add_dataset_failure(
        &mut self,
        dataset: Dataset,
        failure: &Failure,
        http_status: Option<u16>,
        is_stored: bool,
    ) {
        let kind = FailureKind::of(failure, http_status);
        let (whose, so) = if is_stored {
            (
                "One dataset of the run failed",
                "so that this run stored nothing of it",
            )
        } else {
            ("Every customer failed", "and with it every customer's")
        };
        let (name, detail) = (dataset.as_str(), &failure.detail);
        let mut note = format!("the partner-wide collection of {name} failed, {so}: {detail}");
        if kind.is_refusal() {
            note.push_str("; ");
            note.push_str(advice_for_many(kind.status, kind.code.as_deref()));
        }
        error!(
            dataset = name,
            reason = failure.reason.as_str(),
            http.status = http_status,
            error = failure.detail,
            "{whose}: {note}"
        );
        self.notes.push(note);
        if is_stored {
            // A customer that fails with the same kind fails for a reason of its own.
            self.is_dataset_missing = true;
        } else {
            self.groups.mark_reported(kind);
        }
    }

    /// Customers with an outcome.
    pub(super) fn done(&self) -> u64 {
        self.customers.succeeded + self.customers.failed
    }

    /// Whether every customer on the list came to an end of its own.
    pub(super) fn is_complete(&self) -> bool {
        self.interrupted == 0 && self.done() == self.customers.total
    }

    /// What the outcomes so far mean for the customers that have not been asked for.
    pub(super) fn judge(&self, limit: OutageLimit, silence: Option<Silence>) -> Option<RunVerdict> {
        self.streaks.judge(limit, silence, self.last_failure())
    }

    /// Whether the token turned out to be refused, once the list is done.
    pub(super) fn judge_end(&self) -> Option<AuthError> {
        self.streaks.judge_end(self.last_failure())
    }

    fn last_failure(&self) -> &str {
        self.failures.last().map_or("", |failure| &failure.detail)
    }

    /// The outcome of a run that went through its whole list.
    pub(super) fn outcome(&self) -> RunOutcome {
        if self.customers.failed == 0 && !self.is_dataset_missing {
            RunOutcome::Succeeded
        } else if self.customers.succeeded == 0 {
            RunOutcome::Failed
        } else {
            RunOutcome::Partial
        }
    }

    /// What many customers have in common, once the run is over: the cause that most of them failed
    /// for, unless the run `ended_early` and says why; that many have lost their usage; that many
    /// collections are short. Logs the failures that none of these messages covers.
    pub(super) fn conclude(&mut self, ended_early: bool) -> Vec<String> {
        let common = self.groups.conclude(ended_early);
        let found = [common, self.lost_usage(), self.short_collections()];
        found.into_iter().flatten().collect()
    }

    /// One customer without usage may have given up its licences. Many at once are a fault of the
    /// API that looks like success.
    fn lost_usage(&self) -> Option<String> {
        let (lost, of) = (self.lost_usage, self.lost_usage + self.kept_usage);
        let is_fault = lost >= MANY_WITHOUT_USAGE && lost > self.kept_usage;
        is_fault.then(|| {
            format!(
                "the API answered and sent no usable row for {lost} of {of} customers that had \
                 usage the last time, which looks like a fault of the API; what the ledger has is \
                 kept"
            )
        })
    }

    /// A collection that is shorter than announced is taken as complete: nothing in it says where
    /// the rest would be, and the announced total may count something else. The note lets a person
    /// decide.
    fn short_collections(&self) -> Option<String> {
        let (short, done) = (self.short, self.done());
        (short > 0).then(|| {
            format!(
                "the API announced more items than it sent for {short} of {done} customers, and \
                 did not say where further ones are: see sync_customer.detail"
            )
        })
    }
}

#[cfg(test)]
mod tests;
