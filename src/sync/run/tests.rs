use super::*;
use crate::ledger::{Collection, CustomerOutcome, RowCounts};
use crate::sync::early_end::EarlyEnd;

/// A tally with one customer stored, or with none.
fn tally(has_success: bool) -> Tally {
    let mut tally = Tally::new(None);
    if has_success {
        let customer = Customer::from(CustomerId::from(uuid::Uuid::nil()));
        let outcome = CustomerOutcome {
            customer,
            usage: Collection::default(),
            deployment: Collection::default(),
            failure: None,
            http_status: Some(200),
            attempts: 1,
            finished_at: DateTime::UNIX_EPOCH,
        };
        tally.add(&outcome, RowCounts::default());
    }
    tally
}

fn ended_early() -> RunError {
    RunError::EarlyEnd(EarlyEnd::AllRefused {
        customers: 100,
        kind: String::new(),
    })
}

#[test]
fn a_run_that_could_not_go_on_has_failed_whatever_it_stored() {
    let locale = RunError::Locale {
        known: String::new(),
        asked: String::new(),
    };
    assert_eq!(
        outcome(&tally(true), Some(&locale), false),
        RunOutcome::Failed
    );
    assert_eq!(outcome(&tally(true), None, false), RunOutcome::Succeeded);
}

#[test]
fn a_stop_interrupts_a_run_and_so_does_another_process() {
    let outcome = |error, is_stopping| outcome(&tally(true), Some(&error), is_stopping);
    assert_eq!(outcome(RunError::Stopped, true), RunOutcome::Interrupted);
    assert_eq!(outcome(RunError::Stopped, false), RunOutcome::Failed);
    assert_eq!(
        outcome(RunError::Unrecorded, false),
        RunOutcome::Interrupted
    );
}

#[test]
fn a_run_that_ended_early_succeeded_in_part_if_it_stored_anything() {
    let outcome = |has_success| outcome(&tally(has_success), Some(&ended_early()), false);
    assert_eq!(outcome(true), RunOutcome::Partial);
    assert_eq!(outcome(false), RunOutcome::Failed);
}
