use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::ledger::{Collection, Customer, CustomerHistory, CustomerId, Failure, FailureReason};

const MINUTE: Duration = Duration::from_mins(1);

fn outcome(was_refused: bool) -> CustomerOutcome {
    CustomerOutcome {
        customer: Customer {
            history: CustomerHistory {
                was_refused,
                ..CustomerHistory::default()
            },
            ..Customer::from(CustomerId::from(Uuid::nil()))
        },
        usage: Collection::default(),
        deployment: Collection::default(),
        failure: None,
        http_status: None,
        attempts: 1,
        finished_at: DateTime::UNIX_EPOCH,
    }
}

fn kind(reason: FailureReason, status: Option<u16>) -> FailureKind {
    let failure = Failure {
        reason,
        code: None,
        detail: String::new(),
        call: None,
    };
    FailureKind::of(&failure, status)
}

fn forbidden() -> FailureKind {
    kind(FailureReason::Forbidden, Some(403))
}

fn unauthorized() -> FailureKind {
    kind(FailureReason::Unauthorized, Some(401))
}

fn timeout() -> FailureKind {
    kind(FailureReason::Timeout, None)
}

/// Customers with outcomes in a row: how many, the failure, whether each was refused last time.
fn streaks(groups: &[(u64, Option<FailureKind>, bool)]) -> Streaks {
    let mut streaks = Streaks::default();
    for (count, failure, was_refused) in groups {
        for _ in 0..*count {
            streaks.add(&outcome(*was_refused), failure.as_ref());
        }
    }
    streaks
}

fn silence(lasted: Duration, newest_first_attempt: Duration) -> Silence {
    Silence {
        lasted,
        newest_first_attempt,
    }
}

/// The verdict without an outage, as a word.
fn verdict(groups: &[(u64, Option<FailureKind>, bool)]) -> &'static str {
    match streaks(groups).judge(OutageLimit::new(MINUTE), None, "so it is") {
        None => "go on",
        Some(RunVerdict::BeginNoMore(EarlyEnd::AllRefused { .. })) => "all refused",
        Some(RunVerdict::BeginNoMore(EarlyEnd::ApiDown { .. })) => "down",
        Some(RunVerdict::TokenRefused(_)) => "token",
    }
}

#[test]
fn a_hundred_refusals_alike_and_nothing_else_end_a_run() {
    assert_eq!(verdict(&[(99, Some(forbidden()), false)]), "go on");
    assert_eq!(verdict(&[(100, Some(forbidden()), false)]), "all refused");
    // The API let one customer through.
    let one = (1, None, false);
    assert_eq!(verdict(&[one, (500, Some(forbidden()), false)]), "go on");
    // Two kinds are two causes.
    let other = kind(FailureReason::NotFound, Some(404));
    assert_eq!(
        verdict(&[(99, Some(other), false), (100, Some(forbidden()), false)]),
        "go on"
    );
    let elsewhere = kind(FailureReason::ServerError, Some(501));
    assert_eq!(verdict(&[(100, Some(elsewhere), false)]), "all refused");
    let broken = kind(FailureReason::ServerError, Some(500));
    assert_eq!(verdict(&[(500, Some(broken), false)]), "go on");
}

#[test]
fn customers_that_were_refused_before_do_not_end_a_run() {
    let again = (500, Some(forbidden()), true);
    assert_eq!(verdict(std::slice::from_ref(&again)), "go on");
    let ended = streaks(&[again, (100, Some(forbidden()), false)]);
    let limit = OutageLimit::new(MINUTE);
    assert!(matches!(
        ended.judge(limit, None, ""),
        Some(RunVerdict::BeginNoMore(EarlyEnd::AllRefused {
            customers: 600,
            ..
        }))
    ));
}

#[test]
fn a_hundred_times_401_is_the_token_even_after_a_success() {
    let one = (1, None, false);
    assert_eq!(
        verdict(&[one.clone(), (99, Some(unauthorized()), false)]),
        "go on"
    );
    assert_eq!(verdict(&[one, (100, Some(unauthorized()), false)]), "token");
}

#[test]
fn at_the_end_the_token_is_refused_only_where_401_is_all_there_was() {
    let end = |groups: &[_]| streaks(groups).judge_end("").is_some();
    assert!(end(&[(2, Some(unauthorized()), false)]));
    assert!(end(&[(2, Some(unauthorized()), true)]));
    assert!(!end(&[]));
    assert!(!end(&[(1, None, false), (2, Some(unauthorized()), false)]));
    assert!(!end(&[
        (1, Some(forbidden()), false),
        (2, Some(unauthorized()), false)
    ]));
}

#[test]
fn an_outage_ends_a_run_once_a_first_call_failed_late_in_it() {
    let limit = OutageLimit::new(MINUTE);
    let is_down = |lasted: u64, newest: u64| {
        let silence = silence(Duration::from_secs(lasted), Duration::from_secs(newest));
        let failed = streaks(&[(1, Some(timeout()), false)]);
        failed.judge(limit, Some(silence), "").is_some()
    };
    assert!(!is_down(47, 47));
    assert!(is_down(48, 48));
    assert!(!is_down(90, 20));
    assert!(is_down(96, 20));
}

#[test]
fn without_retries_it_takes_a_hundred_failures_and_three_seconds() {
    let limit = OutageLimit::new(Duration::ZERO);
    let is_down = |count: u64, secs: u64| {
        let silence = silence(Duration::from_secs(secs), Duration::from_secs(secs));
        let failed = streaks(&[(count, Some(timeout()), false)]);
        failed.judge(limit, Some(silence), "").is_some()
    };
    assert!(!is_down(99, 60));
    assert!(!is_down(100, 2));
    assert!(is_down(100, 3));
}

#[test]
fn a_refusal_is_an_answer_and_no_outage() {
    let limit = OutageLimit::new(MINUTE);
    let failed = streaks(&[(50, Some(forbidden()), false)]);
    let silence = silence(MINUTE * 9, MINUTE * 9);
    assert!(failed.judge(limit, Some(silence), "").is_none());
}

#[test]
fn calls_that_never_come_to_an_end_end_a_run_after_four_times_as_long() {
    let limit = OutageLimit::new(MINUTE);
    let stalled = |secs: u64| limit.stalled(silence(Duration::from_secs(secs), Duration::ZERO));
    assert_eq!(stalled(191), None);
    assert!(stalled(192).is_some());
    let none_retried = OutageLimit::new(Duration::ZERO);
    assert_eq!(none_retried.stalled(silence(MINUTE * 99, MINUTE)), None);
}

#[test]
fn three_dates_in_a_row_without_any_customer_are_enough() {
    use RunOutcome::{Failed, Partial};
    assert!(!dates_are_hopeless(&[Failed, Failed]));
    assert!(!dates_are_hopeless(&[Failed, Failed, Partial]));
    assert!(!dates_are_hopeless(&[Failed, Partial, Failed, Failed]));
    assert!(dates_are_hopeless(&[Partial, Failed, Failed, Failed]));
}
