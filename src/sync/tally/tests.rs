use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::*;
use crate::ledger::{
    Attributes, Collection, Customer, CustomerHistory, CustomerId, Name, UsageKey, UsageRow,
};

fn date(text: &str) -> DateTime<Utc> {
    format!("{text}T00:00:00Z").parse().unwrap()
}

/// A customer whose usage has rows of these dates.
fn outcome(number: u128, dates: &[&str]) -> CustomerOutcome {
    let rows = dates.iter().map(|text| UsageRow {
        key: UsageKey {
            processed_date_time: date(text),
            product_name: Name::new("E3").unwrap(),
            workload_name: Name::new("Exchange").unwrap(),
        },
        licenses_active: 1,
        licenses_qualified: 2,
        usage_percent: None,
        workload_code: None,
        attributes: Attributes::default(),
    });
    CustomerOutcome {
        customer: Customer::from(CustomerId::from(Uuid::from_u128(number))),
        usage: Collection {
            rows: rows.collect(),
            ..Collection::default()
        },
        deployment: Collection::default(),
        failure: None,
        http_status: Some(200),
        attempts: 1,
        finished_at: DateTime::UNIX_EPOCH,
    }
}

fn failed(number: u128, reason: FailureReason) -> CustomerOutcome {
    CustomerOutcome {
        failure: Some(Failure {
            reason,
            code: None,
            detail: format!("failure {number}"),
            call: None,
        }),
        http_status: None,
        ..outcome(number, &[])
    }
}

fn tally(outcomes: &[CustomerOutcome]) -> Tally {
    let mut tally = Tally::default();
    for outcome in outcomes {
        tally.add(outcome, RowCounts::default());
    }
    tally.customers.total = outcomes.len() as u64;
    tally
}

#[test]
fn a_run_is_complete_once_each_customer_came_to_an_end_of_its_own() {
    let (one, other) = (outcome(1, &[]), failed(2, FailureReason::Timeout));
    let mut complete = tally(&[one.clone(), other]);
    assert!(complete.is_complete());
    complete.customers.total += 1;
    assert!(!complete.is_complete());
    assert!(!tally(&[one, failed(3, FailureReason::Interrupted)]).is_complete());
}

#[test]
fn the_outcome_follows_from_what_became_of_the_customers() {
    let (fine, bad) = (outcome(1, &[]), failed(2, FailureReason::Timeout));
    assert_eq!(tally(&[]).outcome(), RunOutcome::Succeeded);
    assert_eq!(
        tally(std::slice::from_ref(&fine)).outcome(),
        RunOutcome::Succeeded
    );
    assert_eq!(
        tally(std::slice::from_ref(&bad)).outcome(),
        RunOutcome::Failed
    );
    assert_eq!(tally(&[fine.clone(), bad]).outcome(), RunOutcome::Partial);
    let mut missing = tally(&[fine]);
    let failure = failed(1, FailureReason::Timeout).failure.unwrap();
    missing.add_dataset_failure(Dataset::Deployment, &failure, None, true);
    assert_eq!(missing.outcome(), RunOutcome::Partial);
}

#[test]
fn rows_of_the_requested_date_are_counted() {
    let mut tally = Tally::new(Some(date("2026-03-31").date_naive()));
    tally.add(
        &outcome(1, &["2026-03-30", "2026-03-31"]),
        RowCounts::default(),
    );
    tally.add(&outcome(2, &["2026-03-31"]), RowCounts::default());
    assert_eq!(tally.rows_of_date, 2);
}

#[test]
fn usage_that_is_gone_for_most_customers_is_reported() {
    let reported = |lost: u128, kept: u128| {
        let outcomes: Vec<CustomerOutcome> = (0..lost + kept)
            .map(|number| {
                let dates = if number < lost {
                    &[][..]
                } else {
                    &["2026-03-31"]
                };
                let mut outcome = outcome(number, dates);
                outcome.customer.history = CustomerHistory {
                    had_usage: true,
                    was_refused: false,
                };
                outcome
            })
            .collect();
        !tally(&outcomes).conclude(false).is_empty()
    };
    assert!(!reported(9, 0));
    assert!(reported(10, 9));
    assert!(!reported(10, 10));
}

#[test]
fn customers_that_never_had_usage_lose_none() {
    let outcomes: Vec<CustomerOutcome> = (0..50).map(|number| outcome(number, &[])).collect();
    assert_eq!(tally(&outcomes).conclude(false), Vec::<String>::new());
}

#[test]
fn a_failed_collection_is_reported_once_and_not_for_each_customer() {
    let failure = Failure {
        reason: FailureReason::Unauthorized,
        code: None,
        detail: "status 401".to_owned(),
        call: None,
    };
    let mut tally = Tally::default();
    tally.add_dataset_failure(Dataset::Usage, &failure, Some(401), false);
    for number in 0..200 {
        let outcome = CustomerOutcome {
            failure: Some(failure.clone()),
            http_status: Some(401),
            ..outcome(number, &[])
        };
        tally.add(&outcome, RowCounts::default());
    }
    assert!(tally.judge_end().is_none());
    assert_eq!(tally.conclude(false), Vec::<String>::new());
    assert_eq!(tally.notes.len(), 1, "{:?}", tally.notes);
}
