//! Failures that are alike, for one cause: counted, with a few examples in the log, and in the end
//! one message where most customers share it.

use std::collections::HashMap;

use tracing::{debug, error, warn};

use crate::ledger::{CustomerId, CustomerOutcome, Failure, FailureReason};
use crate::partner_center::advice_for_many;

/// Failures of a kind that are logged as they come.
const EXAMPLES: u64 = 3;

/// Failures of a kind that are logged one by one in all, where it is not that of most customers.
const LOGGED: u64 = 20;

/// Kinds of failures told apart; codes are the API's to invent.
const MAX_KINDS: usize = 100;

/// Fewer customers than this have most in common by chance.
const MANY: u64 = 3;

/// What customers have in common that fail for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    reason: FailureReason,
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
}

impl Kind {
    pub(super) fn of(failure: &Failure, status: Option<u16>) -> Self {
        Self {
            reason: failure.reason,
            status,
            code: failure.code.clone(),
        }
    }

    /// Whether it is refused by role, path or sign-in, which nearly all customers share.
    pub(super) fn is_refusal(&self) -> bool {
        self.reason.is_refusal(self.status)
    }

    pub(super) fn is_unauthorized(&self) -> bool {
        self.reason == FailureReason::Unauthorized
    }

    /// With what to do about it where it is many customers'.
    pub(super) fn in_words(&self) -> String {
        let advice = advice_for_many(self.status, self.code.as_deref());
        format!("{}: {advice}", self.name())
    }

    fn name(&self) -> String {
        let status = self
            .status
            .map_or_else(String::new, |status| format!(", status {status}"));
        let code = self
            .code
            .as_ref()
            .map_or_else(String::new, |code| format!(", code {code}"));
        format!("{}{status}{code}", self.reason.as_str())
    }
}

/// One customer's failure, as it is logged.
#[derive(Debug)]
struct Logged {
    customer: CustomerId,
    attempts: u32,
    detail: String,
}

impl Logged {
    fn of(outcome: &CustomerOutcome, failure: &Failure) -> Self {
        Self {
            customer: outcome.id(),
            attempts: outcome.attempts,
            detail: failure.detail.clone(),
        }
    }

    fn log(&self, kind: &Kind) {
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
struct Group {
    count: u64,
    first: Logged,
    /// Those that are logged in the end, unless one message tells of all.
    waiting: Vec<Logged>,
}

/// The failures of a run, by kind.
#[derive(Debug, Default)]
pub(super) struct Alike {
    groups: HashMap<Kind, Group>,
    /// Customers with a failure or success of their own.
    reached: u64,
    /// Kinds that were told of all customers at once.
    told: Vec<Kind>,
}

impl Alike {
    /// Notes a customer that did not fail.
    pub(super) fn add_success(&mut self) {
        self.reached += 1;
    }

    /// Notes that a kind has been told of all customers, so that it need not be told of each.
    pub(super) fn tell(&mut self, kind: Kind) {
        self.told.push(kind);
    }

    /// Notes a customer's failure, and logs it if it is one of the first of its kind.
    pub(super) fn add(&mut self, kind: &Kind, outcome: &CustomerOutcome, failure: &Failure) {
        // Those that were not reached are told all together, like those that fail with a
        // partner-wide collection.
        if outcome.attempts == 0 || self.told.contains(kind) {
            return;
        }
        self.reached += 1;
        let logged = Logged::of(outcome, failure);
        let kinds = self.groups.len();
        match self.groups.get_mut(kind) {
            None if kinds >= MAX_KINDS => logged.log(kind),
            None => {
                logged.log(kind);
                let group = Group {
                    count: 1,
                    first: logged,
                    waiting: Vec::new(),
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
                    group.waiting.push(logged);
                }
            }
        }
    }

    /// All kinds that customers failed for.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.groups.keys()
    }

    /// One message where most of the customers that were reached failed for one cause, and the
    /// cause.
    fn common(&self) -> Option<(&Kind, String)> {
        let (kind, group) = self.groups.iter().max_by_key(|(_, group)| group.count)?;
        let (count, of) = (group.count, self.reached);
        let is_all = count == of && count > 1;
        let is_most = count >= MANY && count * 2 > of;
        // To be stopped is no fault of theirs.
        if kind.reason == FailureReason::Interrupted || !(is_all || is_most) {
            return None;
        }
        let note = if kind.is_refusal() {
            let words = kind.in_words();
            format!("{count} of {of} customers were refused alike: {words}")
        } else {
            let Logged {
                customer, detail, ..
            } = &group.first;
            format!(
                "{count} of {of} customers failed alike: {}; the first, {customer}: {detail}",
                kind.name()
            )
        };
        Some((kind, note))
    }

    /// To be called once, in the end: the message on what most customers failed for, if they did.
    /// Logs what has waited and is not told by it, or by the reason for which the run
    /// `ended_early`.
    pub(super) fn conclude(&mut self, ended_early: bool) -> Option<String> {
        let common = self.common();
        let (kind, note) = common.map_or((None, None), |(kind, note)| {
            (Some(kind.clone()), Some(note).filter(|_| !ended_early))
        });
        for (other, group) in &mut self.groups {
            let waiting = std::mem::take(&mut group.waiting);
            if Some(other) == kind.as_ref() {
                continue;
            }
            for logged in waiting {
                logged.log(other);
            }
            if group.count > LOGGED {
                warn!(
                    reason = other.reason.as_str(),
                    customers = group.count,
                    "{} customers failed alike, of which {LOGGED} are logged: {}; all are in sync_customer",
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
    use crate::ledger::{Collection, Customer};

    fn outcome(number: u128, failure: &Failure, attempts: u32) -> CustomerOutcome {
        CustomerOutcome {
            customer: Customer {
                id: Uuid::from_u128(number).into(),
                name: None,
                domain: None,
            },
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
        }
    }

    /// What is told of so many that fail alike, beside so many that succeed.
    fn told(failed: u128, succeeded: u128, failure: &Failure, ended_early: bool) -> Option<String> {
        let mut alike = Alike::default();
        let kind = Kind::of(failure, Some(403));
        for number in 0..failed {
            alike.add(&kind, &outcome(number, failure, 1), failure);
        }
        for _ in 0..succeeded {
            alike.add_success();
        }
        alike.conclude(ended_early)
    }

    #[test]
    fn what_most_customers_fail_for_is_one_message_by_its_share() {
        let refused = failure(FailureReason::Forbidden, Some("900308"));
        for (failed, succeeded, is_told) in [
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
            let told = told(failed, succeeded, &refused, false);
            assert_eq!(
                told.is_some(),
                is_told,
                "{failed} and {succeeded}: {told:?}"
            );
        }
        let told = told(5, 1, &refused, false).unwrap();
        assert!(
            told.starts_with(
                "5 of 6 customers were refused alike: forbidden, status 403, code 900308: the role"
            ),
            "{told}"
        );
    }

    #[test]
    fn what_is_no_refusal_is_told_with_its_first_example() {
        let bad = failure(FailureReason::InvalidResponse, None);
        assert_eq!(
            told(3, 0, &bad, false).as_deref(),
            Some(
                "3 of 3 customers failed alike: invalid_response, status 403; the first, 00000000-0000-0000-0000-000000000000: so it is"
            )
        );
    }

    #[test]
    fn a_run_that_ended_early_has_told_why() {
        let refused = failure(FailureReason::Forbidden, None);
        assert_eq!(told(100, 0, &refused, true), None);
        let stopped = failure(FailureReason::Interrupted, None);
        assert_eq!(told(100, 0, &stopped, false), None);
    }

    #[test]
    fn customers_that_were_not_reached_and_what_was_told_of_all_do_not_count() {
        let refused = failure(FailureReason::Forbidden, None);
        let kind = Kind::of(&refused, Some(403));
        let mut unreached = Alike::default();
        for number in 0..100 {
            unreached.add(&kind, &outcome(number, &refused, 0), &refused);
        }
        assert_eq!(unreached.conclude(false), None);
        let mut told = Alike::default();
        told.tell(kind.clone());
        for number in 0..100 {
            told.add(&kind, &outcome(number, &refused, 1), &refused);
        }
        assert_eq!(told.conclude(false), None);
    }

    #[test]
    fn many_customers_without_a_relationship_are_not_to_be_taken_off_the_list() {
        let refused = failure(FailureReason::Forbidden, Some("20002"));
        let told = told(6, 0, &refused, false).unwrap();
        assert!(told.contains("there is no commerce relationship"), "{told}");
        assert!(!told.contains("off the list"), "{told}");
    }
}
