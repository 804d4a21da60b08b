use uuid::Uuid;

use super::*;
use crate::ledger::FailureReason;
use crate::sync::report::{CustomerCounts, FailedCustomer};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn march(from: &str, to: &str) -> Dates {
    Dates {
        from: date(&format!("2026-03-{from}")),
        to: date(&format!("2026-03-{to}")),
        force: false,
    }
}

/// A pass over four customers, of which those with these numbers failed.
fn pass(outcome: RunOutcome, failed: &[u128]) -> Report {
    let failures = failed.iter().map(|number| FailedCustomer {
        customer_id: Uuid::from_u128(*number).into(),
        customer_name: None,
        reason: FailureReason::Timeout,
        detail: String::new(),
        ms_request_id: None,
        ms_correlation_id: None,
    });
    let count = failed.len() as u64;
    Report {
        outcome,
        customers: CustomerCounts {
            total: 4,
            succeeded: 4 - count,
            failed: count,
        },
        failures: failures.collect(),
        rows_of_date: 4 - count,
        ..Report::nothing(NOW)
    }
}

#[test]
fn dates_go_from_the_newest_to_the_oldest_both_ends_included() {
    let days = march("30", "31").newest_first();
    assert_eq!(days, [date("2026-03-31"), date("2026-03-30")]);
    assert_eq!(march("31", "31").newest_first().len(), 1);
}

#[test]
fn a_customer_that_fails_on_many_dates_is_one_failed_customer() {
    let mut sum = DatedSum::new(march("29", "31"));
    sum.add(date("2026-03-31"), pass(RunOutcome::Partial, &[1, 2]));
    sum.add(date("2026-03-30"), pass(RunOutcome::Partial, &[2]));
    let report = sum.into_report(NOW);
    let CustomerCounts {
        total,
        succeeded,
        failed,
    } = report.customers;
    assert_eq!((total, succeeded, failed), (4, 2, 2));
    assert_eq!(report.failures.len(), 2);
}

#[test]
fn each_date_is_stored_empty_or_failed() {
    let mut sum = DatedSum::new(march("29", "31"));
    let empty = Report {
        rows_of_date: 0,
        ..pass(RunOutcome::Succeeded, &[])
    };
    sum.add(date("2026-03-31"), pass(RunOutcome::Succeeded, &[]));
    sum.add(date("2026-03-30"), empty);
    sum.add(date("2026-03-29"), pass(RunOutcome::Partial, &[1]));
    let report = sum.into_report(NOW);
    assert_eq!(report.outcome, RunOutcome::Partial);
    let dates = report.dates.unwrap();
    assert_eq!(dates.stored, [date("2026-03-31")]);
    assert_eq!(dates.empty, [date("2026-03-30")]);
    assert_eq!(dates.failed, [date("2026-03-29")]);
}

#[test]
fn passes_with_the_same_outcome_sum_up_to_it_and_others_to_a_part() {
    use RunOutcome::{Failed, Interrupted, Partial, Succeeded};
    for (passes, outcome) in [
        (&[Succeeded, Succeeded][..], Succeeded),
        (&[Failed, Failed], Failed),
        (&[Succeeded, Failed], Partial),
        (&[Succeeded, Interrupted], Interrupted),
    ] {
        let mut sum = DatedSum::new(march("30", "31"));
        for pass_outcome in passes {
            sum.add(date("2026-03-31"), pass(*pass_outcome, &[]));
        }
        assert_eq!(sum.into_report(NOW).outcome, outcome, "{passes:?}");
    }
}

#[test]
fn after_three_dates_that_failed_for_all_no_further_one_is_asked_for() {
    let mut sum = DatedSum::new(march("01", "31"));
    for given_up in [false, false, true] {
        sum.add(date("2026-03-31"), pass(RunOutcome::Failed, &[1, 2, 3, 4]));
        assert_eq!(sum.give_up(), given_up);
    }
    assert_eq!(sum.into_report(NOW).notes.len(), 1);
}

#[test]
fn a_pass_that_cannot_begin_ends_the_sum_and_the_first_one_ends_everything() {
    let mut sum = DatedSum::new(march("30", "31"));
    assert!(sum.end(RunError::Unrecorded).is_err());
    sum.add(date("2026-03-31"), pass(RunOutcome::Succeeded, &[]));
    sum.end(RunError::Unrecorded).unwrap();
    let report = sum.into_report(NOW);
    assert!(report.ended_early && report.fatal.is_some());
    assert_eq!(report.outcome, RunOutcome::Partial);
}

#[test]
fn a_backfill_whose_dates_are_all_complete_has_nothing_to_do() {
    let mut sum = DatedSum::new(march("30", "31"));
    sum.outcomes.skipped = march("30", "31").newest_first();
    let report = sum.into_report(NOW);
    assert_eq!(report.outcome, RunOutcome::Succeeded);
    assert_eq!(report.notes.len(), 1);
}
