//! When a run begins no further customer: the API is silent, every customer is refused alike, or
//! the token is refused. Pure: takes each customer's outcome and how long the API has been silent,
//! and returns a verdict. The caller acts on it.

use std::time::Duration;

use tokio::time::Instant;

use super::failures::FailureKind;
use crate::ledger::CustomerOutcome;
use crate::partner_center::{AuthError, Outage, advice_for_many, remedy_of_status};
use crate::store::RunOutcome;

/// Customers in a row that are refused alike before the run ends. With fewer, a group of customers
/// without a relationship at the head of the list would end it.
const REFUSED_IN_A_ROW: u64 = 100;

/// Customers in a row that fail without an answer before the run ends, where calls are not retried
/// (`retry.max_elapsed_time = "0s"`) and each failure is therefore only one attempt.
const UNANSWERED_IN_A_ROW: u64 = 100;

/// The shortest outage that ends a run. With a short `retry.max_elapsed_time`, a few customers that
/// fail at the beginning would otherwise end it.
const SHORTEST_OUTAGE: Duration = Duration::from_secs(3);

/// Dates in a row of a dated backfill that fail for every customer before it ends. Each may have
/// been retried for `retry.max_elapsed_time`, so that a longer row would take hours.
pub(super) const FAILED_DATES_IN_A_ROW: usize = 3;

/// Why a run that was under way begins no further customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EarlyEnd {
    /// No call was answered any more.
    #[error(
        "Partner Center has not answered a single call for {} s, so the run ended early; the last \
         failure: {last}",
        silence.as_secs()
    )]
    ApiDown {
        /// For how long.
        silence: Duration,
        /// What the last customer's failure said.
        last: String,
    },
    /// Every customer was refused alike, so that the cause is not the customers.
    #[error("all of the first {customers} customers were refused, so the run ended early: {kind}")]
    AllRefused {
        /// How many.
        customers: u64,
        /// The refusal in words, with what to do about it.
        kind: String,
    },
}

/// What the failures so far mean for the rest of the run.
#[derive(Debug)]
pub(super) enum RunVerdict {
    /// Begin no further customer; finish those under way.
    BeginNoMore(EarlyEnd),
    /// End at once: no call can succeed with this token.
    TokenRefused(AuthError),
}

/// The time without any answer of the API, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Silence {
    /// Since the first failed call after the last answered one.
    lasted: Duration,
    /// From that failed call to the newest failure of a first attempt. A retry that fails again
    /// proves nothing new.
    newest_first_attempt: Duration,
}

impl Silence {
    pub(super) fn at(now: Instant, outage: &Outage) -> Self {
        Self {
            lasted: now - outage.since,
            newest_first_attempt: outage
                .first_attempt_at
                .saturating_duration_since(outage.since),
        }
    }
}

/// How long the API may be silent.
#[derive(Debug, Clone, Copy)]
pub(super) struct OutageLimit {
    is_retried: bool,
    /// How long a call is retried at least before it is given up.
    give_up_after: Duration,
}

impl OutageLimit {
    /// `max_elapsed` is `retry.max_elapsed_time`.
    pub(super) fn new(max_elapsed: Duration) -> Self {
        Self {
            is_retried: !max_elapsed.is_zero(),
            // A call is given up when its next wait would exceed its time, so a little before that.
            give_up_after: max_elapsed.mul_f64(0.8).max(SHORTEST_OUTAGE),
        }
    }

    /// Whether the API may be down. Customers that succeeded in the last run should be asked next:
    /// the list begins with those that failed, and their failures prove nothing.
    pub(super) fn is_suspected(self, silence: Silence) -> bool {
        silence.lasted >= self.give_up_after / 2
    }

    /// Whether the API is down: a first attempt failed `give_up_after` or later into the outage,
    /// or, for when no customer is left for a first attempt, the outage lasts twice that. Earlier
    /// failures may all be of customers that always fail.
    fn is_exceeded(self, silence: Silence) -> bool {
        silence.newest_first_attempt >= self.give_up_after
            || silence.lasted >= self.give_up_after * 2
    }

    /// The verdict while calls take so long to fail that no customer comes to an end. The outage
    /// must last four times `give_up_after`, so that customers that wait for their first call get
    /// it.
    pub(super) fn stalled(self, silence: Silence) -> Option<EarlyEnd> {
        let is_down = self.is_exceeded(silence) && silence.lasted >= self.give_up_after * 4;
        (self.is_retried && is_down).then(|| EarlyEnd::ApiDown {
            silence: silence.lasted,
            last: "calls are still being retried".to_owned(),
        })
    }
}

/// The failures in a row by which a run ends early.
#[derive(Debug, Default)]
pub(super) struct Streaks {
    customers: u64,
    /// Customers that were refused with 401, whatever the code, and sent no row: in a row, and in
    /// all. A token that has brought rows is not refused.
    unauthorized_in_a_row: u64,
    unauthorized: u64,
    newest_unauthorized: Option<FailureKind>,
    /// The kind of the newest failures without a success in between, and their number.
    alike: Option<(FailureKind, u64)>,
    /// Customers that were refused in the last run and are refused again. They are at the head of
    /// the list, and the cause may be theirs.
    refused_again: u64,
}

impl Streaks {
    /// Adds a customer's outcome; `failure` is the kind of its failure.
    pub(super) fn add(&mut self, outcome: &CustomerOutcome, failure: Option<&FailureKind>) {
        self.customers += 1;
        let Some(kind) = failure else {
            self.unauthorized_in_a_row = 0;
            self.alike = None;
            return;
        };
        let has_rows = outcome.row_count() > 0;
        let is_unauthorized = kind.is_unauthorized() && !has_rows;
        if is_unauthorized {
            self.unauthorized += 1;
            self.newest_unauthorized = Some(kind.clone());
        }
        if kind.is_refusal() && outcome.customer.history.was_refused {
            self.refused_again += 1;
            return;
        }
        self.unauthorized_in_a_row = if is_unauthorized {
            self.unauthorized_in_a_row + 1
        } else {
            0
        };
        self.alike = match self.alike.take() {
            // One dataset was let through.
            _ if has_rows => None,
            Some((last, count)) if last == *kind => Some((last, count + 1)),
            _ => Some((kind.clone(), 1)),
        };
    }

    /// The verdict after a customer came to an end; `last` is the newest failure in words.
    pub(super) fn judge(
        &self,
        limit: OutageLimit,
        silence: Option<Silence>,
        last: &str,
    ) -> Option<RunVerdict> {
        if self.unauthorized_in_a_row >= REFUSED_IN_A_ROW {
            return self.token_refused(last).map(RunVerdict::TokenRefused);
        }
        let (kind, count) = self.alike.as_ref()?;
        if kind.is_refusal() {
            let customers = count + self.refused_again;
            let is_all = *count >= REFUSED_IN_A_ROW && customers == self.customers;
            return is_all.then(|| {
                RunVerdict::BeginNoMore(EarlyEnd::AllRefused {
                    customers,
                    kind: kind.describe(),
                })
            });
        }
        let enough = if limit.is_retried {
            1
        } else {
            UNANSWERED_IN_A_ROW
        };
        let silence = silence.filter(|silence| *count >= enough && limit.is_exceeded(*silence))?;
        Some(RunVerdict::BeginNoMore(EarlyEnd::ApiDown {
            silence: silence.lasted,
            last: last.to_owned(),
        }))
    }

    /// The verdict at the end of the list: if every customer failed with 401, however few there
    /// were, the token is refused.
    pub(super) fn judge_end(&self, last: &str) -> Option<AuthError> {
        let is_all = self.unauthorized == self.customers;
        self.token_refused(last).filter(|_| is_all)
    }

    fn token_refused(&self, last: &str) -> Option<AuthError> {
        let FailureKind { status, code, .. } = self.newest_unauthorized.as_ref()?;
        Some(AuthError::TokenRefused {
            fault: last.to_owned(),
            advice: advice_for_many(*status, code.as_deref()),
            remedy: remedy_of_status(*status, code.as_deref()),
        })
    }
}

/// Whether it is no use to ask for further dates of a dated backfill, after passes with these
/// outcomes.
pub(super) fn dates_are_hopeless(passes: &[RunOutcome]) -> bool {
    let newest = passes.iter().rev().take(FAILED_DATES_IN_A_ROW);
    newest
        .filter(|outcome| **outcome == RunOutcome::Failed)
        .count()
        == FAILED_DATES_IN_A_ROW
}

#[cfg(test)]
mod tests;
