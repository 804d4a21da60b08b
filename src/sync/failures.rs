//! Failures of one kind: counted, with a few examples in the log, and at the end of the run one
//! message for the cause that most customers share.

use std::collections::HashMap;

use tracing::{debug, error, warn};

use crate::causes::with_causes;
use crate::ledger::{
    CallIds, Collection, CustomerId, CustomerOutcome, Dataset, Failure, FailureReason,
};
use crate::partner_center::{ApiError, advice_for_many};

/// Failures of a kind that are logged as errors as they come. More would bury everything else.
const EXAMPLES: u64 = 3;

/// Failures of a kind that are logged one by one at most, the examples included. Those after the
/// examples are logged at the end of the run, unless one message covers the whole kind.
const LOGGED: u64 = 20;

/// Kinds of failures that are counted apart at most. The API may send new codes without end, and
/// each kind takes memory.
const MAX_KINDS: usize = 100;

/// Customers that must share a cause before it counts as the cause of most, unless all customers
/// share it. With fewer, a majority may be chance.
const SMALLEST_MAJORITY: u64 = 3;

/// What failures with one cause have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FailureKind {
    reason: FailureReason,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
}

impl FailureKind {
    pub(super) fn of(failure: &Failure, status: Option<u16>) -> Self {
        Self {
            reason: failure.reason,
            status,
            code: failure.code.clone(),
        }
    }

    /// Whether the API refuses the call: by role, path, sign-in, or because it does not offer this.
    pub(super) fn is_refusal(&self) -> bool {
        self.reason.is_refusal(self.status)
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        self.reason == FailureReason::Unauthorized
    }

    /// In words, with what to do about it where many customers share it.
    pub(super) fn describe(&self) -> String {
        let advice = advice_for_many(self.status, self.code.as_deref());
        format!("{}: {advice}", self.name())
    }

    fn name(&self) -> String {
        let status = self.status.map(|status| format!("status {status}"));
        let code = self.code.as_ref().map(|code| format!("code {code}"));
        let parts = [Some(self.reason.as_str().to_owned()), status, code];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join(", ")
    }
}

/// The failure of a customer whose call failed.
pub(super) fn api_failure(dataset: Dataset, error: &ApiError, call: Option<CallIds>) -> Failure {
    let detail = with_causes(error);
    Failure {
        reason: error.reason(),
        code: error.code().map(str::to_owned),
        detail: match dataset {
            Dataset::Usage => detail,
            Dataset::Deployment => format!("deployment: {detail}"),
        },
        call,
    }
}

/// The failure of a customer none of whose items could become a row. Such a collection must not
/// count as a success.
pub(super) fn no_row_failure<R>(
    dataset: Dataset,
    collection: &Collection<R>,
    call: Option<CallIds>,
) -> Option<Failure> {
    let error = ApiError::Unexpected(collection.all_rejected()?);
    Some(api_failure(dataset, &error, call))
}

/// The failure of a customer that a stop interrupted.
pub(super) fn interrupted_failure() -> Failure {
    Failure {
        reason: FailureReason::Interrupted,
        code: None,
        detail: "the run was stopped while the customer was under way".to_owned(),
        call: None,
    }
}

/// One customer's failure, for the log.
#[derive(Debug)]
struct LoggedFailure {
    customer: CustomerId,
    attempts: u32,
    detail: String,
}

impl LoggedFailure {
    fn of(outcome: &CustomerOutcome, failure: &Failure) -> Self {
        Self {
            customer: outcome.id(),
            attempts: outcome.attempts,
            detail: failure.detail.clone(),
        }
    }

    fn log(&self, kind: &FailureKind) {
        let Self {
            customer,
            attempts,
            detail,
        } = self;
        let reason = kind.reason.as_str();
        error!(
            customer.id = %customer,
            reason,
            http.status = kind.status,
            attempts,
            error = detail,
            "Customer {customer} failed: {reason}: {detail}"
        );
    }
}

/// All failures of a kind.
#[derive(Debug)]
struct FailureGroup {
    count: u64,
    first: LoggedFailure,
    /// Failures that are logged at the end, unless one message covers them all.
    deferred: Vec<LoggedFailure>,
}

/// The failures of a run, by kind.
#[derive(Debug, Default)]
pub(super) struct FailureGroups {
    groups: HashMap<FailureKind, FailureGroup>,
    /// Customers that succeeded or failed for a reason of their own.
    reached: u64,
    /// Kinds that have been reported for all customers at once.
    reported: Vec<FailureKind>,
}

impl FailureGroups {
    /// Counts a customer that did not fail.
    pub(super) fn add_success(&mut self) {
        self.reached += 1;
    }

    /// Marks a kind as reported for all customers, so that it is not reported for each of them.
    pub(super) fn mark_reported(&mut self, kind: FailureKind) {
        self.reported.push(kind);
    }

    /// Whether a kind has been reported for all customers.
    pub(super) fn is_reported(&self, kind: &FailureKind) -> bool {
        self.reported.contains(kind)
    }

    /// Counts a customer's failure, and logs it if it is one of the first of its kind.
    pub(super) fn add(&mut self, kind: &FailureKind, outcome: &CustomerOutcome, failure: &Failure) {
        // Customers that were never asked for are reported together.
        if outcome.attempts == 0 || self.is_reported(kind) {
            return;
        }
        self.reached += 1;
        let logged = LoggedFailure::of(outcome, failure);
        let kinds = self.groups.len();
        match self.groups.get_mut(kind) {
            None if kinds >= MAX_KINDS => logged.log(kind),
            None => {
                logged.log(kind);
                let group = FailureGroup {
                    count: 1,
                    first: logged,
                    deferred: Vec::new(),
                };
                self.groups.insert(kind.clone(), group);
            }
            Some(group) => {
                group.count += 1;
                if group.count <= EXAMPLES {
                    logged.log(kind);
                    return;
                }
                debug!(
                    customer.id = %logged.customer,
                    error = logged.detail,
                    "Customer {} failed like others: {}",
                    logged.customer,
                    logged.detail
                );
                if group.count <= LOGGED {
                    group.deferred.push(logged);
                }
            }
        }
    }

    /// The cause for which most of the reached customers failed, with the message about it.
    fn common_cause(&self) -> Option<(&FailureKind, String)> {
        let (kind, group) = self.groups.iter().max_by_key(|(_, group)| group.count)?;
        let (count, of) = (group.count, self.reached);
        let is_all = count == of && count > 1;
        let is_most = count >= SMALLEST_MAJORITY && count * 2 > of;
        // A stop is not a cause that an operator could remove.
        if kind.reason == FailureReason::Interrupted || !(is_all || is_most) {
            return None;
        }
        let note = if kind.is_refusal() {
            let cause = kind.describe();
            format!("{count} of {of} customers were refused alike: {cause}")
        } else {
            let LoggedFailure {
                customer, detail, ..
            } = &group.first;
            format!(
                "{count} of {of} customers failed alike: {}; the first, {customer}: {detail}",
                kind.name()
            )
        };
        Some((kind, note))
    }

    /// Ends the count. Returns the message about the cause that most customers share, if there is
    /// one, and logs the deferred failures of every other cause. A run that `ended_early` has been
    /// reported with its reason, so it gets no message.
    pub(super) fn conclude(&mut self, ended_early: bool) -> Option<String> {
        let common = self.common_cause();
        let (kind, note) = common.map_or((None, None), |(kind, note)| {
            (Some(kind.clone()), Some(note).filter(|_| !ended_early))
        });
        for (other, group) in &mut self.groups {
            let deferred = std::mem::take(&mut group.deferred);
            if Some(other) == kind.as_ref() {
                continue;
            }
            for logged in deferred {
                logged.log(other);
            }
            if group.count > LOGGED {
                warn!(
                    reason = other.reason.as_str(),
                    customers = group.count,
                    "{} customers failed alike, of which {LOGGED} are logged: {}; all are in \
                     sync_customer",
                    group.count,
                    other.name()
                );
            }
        }
        note
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::ledger::Customer;

    fn outcome(number: u128, failure: &Failure, attempts: u32) -> CustomerOutcome {
        CustomerOutcome {
            customer: Customer::from(CustomerId::from(Uuid::from_u128(number))),
            usage: Collection::default(),
            deployment: Collection::default(),
            failure: Some(failure.clone()),
            http_status: Some(403),
            attempts,
            finished_at: DateTime::UNIX_EPOCH,
        }
    }

    fn failure(reason: FailureReason, code: Option<&str>) -> Failure {
        Failure {
            reason,
            code: code.map(str::to_owned),
            detail: "so it is".to_owned(),
            call: None,
        }
    }

    /// The message about customers that fail alike, beside others that succeed.
    fn message(
        failed: u128,
        succeeded: u128,
        failure: &Failure,
        ended_early: bool,
    ) -> Option<String> {
        let mut groups = FailureGroups::default();
        let kind = FailureKind::of(failure, Some(403));
        for number in 0..failed {
            groups.add(&kind, &outcome(number, failure, 1), failure);
        }
        for _ in 0..succeeded {
            groups.add_success();
        }
        groups.conclude(ended_early)
    }

    #[test]
    fn what_most_customers_fail_for_is_one_message_by_its_share() {
        let refused = failure(FailureReason::Forbidden, Some("900308"));
        for (failed, succeeded, is_common) in [
            (0, 5, false),
            (1, 0, false),
            (2, 0, true),
            (2, 1, false),
            (3, 2, true),
            (3, 3, false),
            (5, 1, true),
            (38, 22, true),
            (25, 35, false),
        ] {
            let message = message(failed, succeeded, &refused, false);
            assert_eq!(
                message.is_some(),
                is_common,
                "{failed} and {succeeded}: {message:?}"
            );
        }
        let message = message(5, 1, &refused, false).unwrap();
        assert!(
            message.starts_with(
                "5 of 6 customers were refused alike: forbidden, status 403, code 900308: the role"
            ),
            "{message}"
        );
    }

    #[test]
    fn what_is_no_refusal_is_common_with_its_first_example() {
        let bad = failure(FailureReason::InvalidResponse, None);
        assert_eq!(
            message(3, 0, &bad, false).as_deref(),
            Some(
                "3 of 3 customers failed alike: invalid_response, status 403; the first, \
                 00000000-0000-0000-0000-000000000000: so it is"
            )
        );
    }

    #[test]
    fn a_run_that_ended_early_or_was_stopped_gets_no_message() {
        let refused = failure(FailureReason::Forbidden, None);
        assert_eq!(message(100, 0, &refused, true), None);
        let stopped = failure(FailureReason::Interrupted, None);
        assert_eq!(message(100, 0, &stopped, false), None);
    }

    #[test]
    fn customers_not_reached_and_failures_reported_for_all_do_not_count() {
        let refused = failure(FailureReason::Forbidden, None);
        let kind = FailureKind::of(&refused, Some(403));
        let mut unreached = FailureGroups::default();
        for number in 0..100 {
            unreached.add(&kind, &outcome(number, &refused, 0), &refused);
        }
        assert_eq!(unreached.conclude(false), None);
        let mut reported = FailureGroups::default();
        reported.mark_reported(kind.clone());
        for number in 0..100 {
            reported.add(&kind, &outcome(number, &refused, 1), &refused);
        }
        assert_eq!(reported.conclude(false), None);
    }

    #[test]
    fn many_customers_without_a_relationship_get_no_advice_to_take_them_off_the_list() {
        let refused = failure(FailureReason::Forbidden, Some("20002"));
        let message = message(6, 0, &refused, false).unwrap();
        assert!(
            message.contains("there is no commerce relationship"),
            "{message}"
        );
        assert!(!message.contains("off the list"), "{message}");
    }
}
