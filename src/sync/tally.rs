//! What a run has recorded so far, and what that says of the run as a whole: many failures of one
//! kind are one message, not one for each customer.

use chrono::NaiveDate;
use tracing::error;

use super::alike::{Alike, Kind};
use super::report::{CustomerCounts, FailedCustomer, Halt};
use crate::ledger::{CustomerId, CustomerOutcome, Dataset, Failure, FailureReason, Row, RowCounts};
use crate::partner_center::{AuthError, advice_for_many, remedy_of_status};

/// So many customers in a row that are refused alike, none let through, mean that the cause is not
/// the customers. Those that were refused last time too are not among them: they come first in
/// every run, and the cause may be theirs.
const HOPELESS: u64 = 100;

/// So many customers whose usage is gone at once have not all given up their licences.
const MANY_GONE: u64 = 10;

/// What a run has recorded so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) customers: CustomerCounts,
    pub(super) rows: RowCounts,
    pub(super) failures: Vec<FailedCustomer>,
    /// What a person should know of the run, beside its counts.
    pub(super) notes: Vec<String>,
    /// Rows of the date that was asked for.
    pub(super) rows_of_date: u64,
    asked: Option<NaiveDate>,
    interrupted: u64,
    /// Customers in a row that were refused with 401, whatever the code.
    unauthorized: u64,
    /// Customers that were refused when they were last asked for, sorted.
    expected: Vec<CustomerId>,
    /// Customers that had usage the last time, sorted: a quarter of each id, since there may be
    /// very many. One that is taken for another changes a count by one.
    with_usage: Vec<u32>,
    /// Those among them that have some again, and those that came without.
    kept: u64,
    gone: u64,
    /// Those among `expected` that were refused again.
    refused_again: u64,
    alike: Alike,
    /// Datasets that failed for all customers at once while another was stored.
    missing: Vec<Dataset>,
    /// Customers whose collection announced more items than it held.
    short: u64,
    /// The kind of the newest failures without a success in between, and how many there are.
    streak: Option<(Kind, u64)>,
}

impl Tally {
    pub(super) fn new(asked: Option<NaiveDate>) -> Self {
        Self {
            asked,
            ..Self::default()
        }
    }

    /// Names the customers that were refused when they were last asked for.
    pub(super) fn expect_refused(&mut self, mut customers: Vec<CustomerId>) {
        customers.sort_unstable();
        self.expected = customers;
    }

    /// Names the customers that had usage when they were last asked for.
    pub(super) fn expect_usage(&mut self, customers: impl Iterator<Item = CustomerId>) {
        self.with_usage = customers.map(quarter).collect();
        self.with_usage.shrink_to_fit();
        self.with_usage.sort_unstable();
    }

    /// One message where most of the customers that had usage come without any. Each for itself may
    /// have given up its licences; all together are a fault of the API, and one that looks like
    /// success.
    pub(super) fn usage_is_gone(&self) -> Option<String> {
        let (gone, of) = (self.gone, self.gone + self.kept);
        let is_fault = gone >= MANY_GONE && gone > self.kept;
        is_fault.then(|| {
            format!(
                "the API answered and sent no usable row for {gone} of {of} customers that had usage the last time, which looks like a fault of the API; what the ledger has is kept"
            )
        })
    }

    /// Whether every customer on the list came to an end of its own.
    pub(super) fn is_complete(&self) -> bool {
        self.interrupted == 0
            && self.customers.succeeded + self.customers.failed == self.customers.total
    }

    /// Customers with an outcome.
    pub(super) fn done(&self) -> u64 {
        self.customers.succeeded + self.customers.failed
    }

    /// Tells of a dataset that failed as a whole, so that it need not be told of each customer.
    /// Where another one `is_stored`, the failure is the run's and no customer's.
    pub(super) fn fail_together(
        &mut self,
        dataset: Dataset,
        failure: &Failure,
        http_status: Option<u16>,
        is_stored: bool,
    ) {
        let kind = Kind::of(failure, http_status);
        let so = if is_stored {
            self.missing.push(dataset);
            ", so that this run stored nothing of it"
        } else {
            ", and with it every customer's"
        };
        let dataset = dataset.as_str();
        let mut note = format!(
            "the partner-wide collection of {dataset} failed{so}: {}",
            failure.detail
        );
        if kind.is_refusal() {
            note.push_str("; ");
            note.push_str(advice_for_many(kind.status, kind.code.as_deref()));
        }
        let whose = if is_stored {
            "One dataset of the run failed"
        } else {
            "Every customer failed"
        };
        error!(
            dataset,
            reason = failure.reason.as_str(),
            http.status = http_status,
            error = failure.detail,
            "{whose}: {note}"
        );
        self.notes.push(note);
        // Otherwise a customer that fails alike fails for a reason of its own.
        if !is_stored {
            self.alike.tell(kind);
        }
    }

    /// Whether a dataset is missing for everybody, while another one was stored.
    pub(super) fn is_dataset_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    pub(super) fn add(&mut self, outcome: &CustomerOutcome, rows: RowCounts) {
        self.rows += rows;
        let usage = outcome.usage.rows.iter().map(Row::processed_date_time);
        let deployment = outcome.deployment.rows.iter();
        let of_date = usage
            .chain(deployment.map(Row::processed_date_time))
            .filter(|date| Some(date.date_naive()) == self.asked)
            .count();
        self.rows_of_date += of_date as u64;
        let is_short = outcome.usage.is_short || outcome.deployment.is_short;
        self.short += u64::from(is_short);
        match &outcome.failure {
            None => {
                self.alike.add_success();
                self.customers.succeeded += 1;
                self.unauthorized = 0;
                self.streak = None;
                if self
                    .with_usage
                    .binary_search(&quarter(outcome.id()))
                    .is_ok()
                {
                    let is_gone = outcome.usage.rows.is_empty();
                    self.gone += u64::from(is_gone);
                    self.kept += u64::from(!is_gone);
                }
            }
            Some(failure) => self.add_failure(outcome, failure),
        }
    }

    fn add_failure(&mut self, outcome: &CustomerOutcome, failure: &Failure) {
        self.customers.failed += 1;
        if failure.reason == FailureReason::Interrupted {
            self.interrupted += 1;
        }
        let kind = Kind::of(failure, outcome.http_status);
        let is_expected = || self.expected.binary_search(&outcome.customer.id).is_ok();
        if kind.is_refusal() && is_expected() {
            self.refused_again += 1;
        } else {
            self.unauthorized = match outcome.row_count() {
                0 if kind.is_unauthorized() => self.unauthorized + 1,
                _ => 0,
            };
            self.streak = match self.streak.take() {
                // One dataset was let through.
                _ if outcome.row_count() > 0 => None,
                Some((last, count)) if last == kind => Some((last, count + 1)),
                _ => Some((kind.clone(), 1)),
            };
        }
        self.alike.add(&kind, outcome, failure);
        self.failures.push(FailedCustomer {
            customer_id: outcome.customer.id,
            customer_name: outcome.customer.name.clone(),
            reason: failure.reason,
            detail: failure.detail.clone(),
        });
    }

    /// Whether many customers at a stretch, or in the end all of them, were refused for the token's
    /// sake. A token that has brought rows is none that is refused.
    pub(super) fn token_is_refused(&self, at_the_end: bool) -> Option<AuthError> {
        let failed_all = self.customers.failed == self.done() && self.rows.received == 0;
        let only_so = self.alike.kinds().all(Kind::is_unauthorized);
        let refused = self.unauthorized >= HOPELESS || (at_the_end && failed_all && only_so);
        let kind = self.alike.kinds().find(|kind| kind.is_unauthorized())?;
        refused.then(|| AuthError::TokenRefused {
            fault: self
                .failures
                .last()
                .map_or_else(String::new, |failure| failure.detail.clone()),
            advice: advice_for_many(kind.status, kind.code.as_deref()),
            remedy: remedy_of_status(kind.status, kind.code.as_deref()),
        })
    }

    /// Whether many customers at a stretch, and none otherwise, were refused alike.
    pub(super) fn all_are_refused(&self) -> Option<Halt> {
        let (kind, count) = self.streak.as_ref()?;
        let all = count + self.refused_again;
        let hopeless = kind.is_refusal() && *count >= HOPELESS && all == self.done();
        hopeless.then(|| Halt::AllRefused {
            customers: all,
            kind: kind.in_words(),
        })
    }

    /// How many customers at a stretch have failed, none of them refused in the sense of
    /// [`Tally::all_are_refused`].
    pub(super) fn unanswered(&self) -> u64 {
        match &self.streak {
            Some((kind, count)) if !kind.is_refusal() => *count,
            _ => 0,
        }
    }

    /// To be called once, in the end: the message on what most customers failed for, unless the run
    /// `ended_early` and says why.
    pub(super) fn common_cause(&mut self, ended_early: bool) -> Option<String> {
        self.alike.conclude(ended_early)
    }

    /// One message where collections announced more items than they held. Each is taken for whole,
    /// because nothing in it says where the rest would be, and a total may count something else; a
    /// person can tell.
    pub(super) fn collections_are_short(&self) -> Option<String> {
        (self.short > 0).then(|| {
            format!(
                "the API announced more items than it sent for {} of {} customers, and did not say where further ones are: see sync_customer.detail",
                self.short,
                self.done()
            )
        })
    }
}

fn quarter(id: CustomerId) -> u32 {
    id.as_uuid().as_fields().0
}
