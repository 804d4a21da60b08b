//! The retry budget over minutes, in paused time.

use std::time::Duration;

use super::*;

/// Takes as many retries as there are.
fn take_all(budget: &RetryBudget, claim: Claim) -> u64 {
    (0..10_000)
        .take_while(|_| budget.try_acquire(claim))
        .count() as u64
}

fn called(calls: usize) -> RetryBudget {
    let budget = RetryBudget::default();
    for _ in 0..calls {
        budget.request_sent();
        budget.failed(false);
    }
    budget
}

#[tokio::test(start_paused = true)]
async fn retries_stay_under_a_fifth_of_the_calls_where_everything_fails() {
    for calls in [100, 264, 6_000] {
        let budget = called(calls);
        let (mut retries, began) = (0, Instant::now());
        while began.elapsed() < Duration::from_mins(15) {
            for _ in 0..take_all(&budget, Claim::Retry(0)) {
                budget.request_sent();
                budget.failed(true);
                retries += 1;
            }
            tokio::time::advance(Duration::from_millis(500)).await;
        }
        // At least 20 retries have checked whether the server is back.
        let all = calls as u64 + retries;
        assert!(retries * 4 < all && retries >= 20, "{retries} of {all}");
        if calls > 200 {
            assert!(retries * 5 < all, "{retries} of {all}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_outage_is_noticed_and_every_call_is_retried_at_once() {
    for secs in [2, 30, 300] {
        let budget = called(264);
        while take_all(&budget, Claim::Retry(0)) > 0 {}
        let began = Instant::now();
        tokio::time::advance(Duration::from_secs(secs)).await;
        while !budget.try_acquire(Claim::Retry(3)) {
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        let took = began.elapsed().as_secs();
        assert!(took <= 5 + secs * 4 / 3, "{took} s after {secs}");
        budget.answered();
        // Each answer lets further retries through.
        let (mut waiting, mut rounds) = (264, 0);
        while waiting > 0 {
            let some = take_all(&budget, Claim::Retry(3)).min(waiting);
            (0..some).for_each(|_| budget.answered());
            waiting -= some;
            rounds += 1;
            if some == 0 {
                tokio::time::advance(Duration::from_secs(5)).await;
            }
        }
        assert!(rounds < 100, "{rounds}");
    }
}

#[tokio::test(start_paused = true)]
async fn all_are_retried_where_a_third_of_the_calls_are_answered() {
    let budget = called(0);
    for call in 0..3_000 {
        assert!(
            call % 3 == 0 || budget.try_acquire(Claim::Retry(0)),
            "{call}"
        );
        budget.request_sent();
        if call % 3 == 0 {
            budget.answered();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn second_retries_leave_half_to_first_ones() {
    let budget = called(1_200);
    assert!(budget.try_acquire(Claim::Retry(0)));
    assert_eq!(take_all(&budget, Claim::Retry(1)), 99);
    assert_eq!(take_all(&budget, Claim::Retry(0)), 100);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_the_wait_that_the_server_asked_for_is_free() {
    let budget = called(3);
    assert_eq!(take_all(&budget, Claim::Retry(0)), ALWAYS);
    assert_eq!(take_all(&budget, Claim::Free), 10_000);
    assert!(!budget.try_acquire(Claim::Share));
}

#[tokio::test(start_paused = true)]
async fn an_outage_lasts_from_the_first_failure_to_the_next_answer() {
    let budget = RetryBudget::default();
    assert_eq!(budget.outage(), None);
    let since = Instant::now();
    budget.failed(false);
    tokio::time::advance(Duration::from_secs(7)).await;
    budget.failed(true);
    let outage = |failures, first_attempt_at| Outage {
        since,
        failures,
        first_attempt_at,
    };
    assert_eq!(budget.outage(), Some(outage(2, since)));
    budget.failed(false);
    assert_eq!(budget.outage(), Some(outage(3, Instant::now())));
    budget.answered();
    assert_eq!(budget.outage(), None);
}
