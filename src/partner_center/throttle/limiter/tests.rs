//! The limiter's waits, in paused time.

use std::time::Duration;

use tokio::time::Instant;

use super::{Limiter, PausedTooLong, Reply, RequestPermit};
use crate::watchdog::Pulse;

#[tokio::test(start_paused = true)]
async fn the_configured_rate_is_a_bound_whatever_the_server_allows() {
    let limiter = Limiter::new(Some(20.0), Duration::from_mins(1));
    let began = Instant::now();
    for _ in 0..200 {
        let permit = limiter
            .acquire(None, true, Duration::MAX, &Pulse::default())
            .await
            .unwrap();
        permit.complete(Reply::Served);
    }
    let took = began.elapsed().as_millis();
    assert!((9_950..10_050).contains(&took), "{took} ms");
    assert_eq!(limiter.learned(), None);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_left_does_not_wait_for_the_end_of_a_pause() {
    let limiter = Limiter::new(None, Duration::from_mins(15));
    let permit = limiter
        .acquire(None, true, Duration::MAX, &Pulse::default())
        .await
        .unwrap();
    let wish = Some(Duration::from_mins(1));
    permit.complete(Reply::RateLimited { retry_after: wish });
    let began = Instant::now();
    let short = limiter
        .acquire(None, true, Duration::from_secs(7), &Pulse::default())
        .await;
    assert_eq!(short.unwrap_err(), PausedTooLong);
    assert_eq!(began.elapsed().as_secs(), 7);
    drop(
        limiter
            .acquire(None, true, Duration::MAX, &Pulse::default())
            .await
            .unwrap(),
    );
    assert_eq!(began.elapsed().as_secs(), 60);
    // That permit was dropped without a reply, so the next request becomes the probe.
    limiter
        .acquire(None, true, Duration::MAX, &Pulse::default())
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn where_calls_are_not_retried_a_request_waits_for_the_end_of_a_pause() {
    let limiter = Limiter::new(None, Duration::ZERO);
    let refused = |permit: RequestPermit<'_>| {
        permit.complete(Reply::RateLimited {
            retry_after: Some(Duration::from_secs(20)),
        });
    };
    refused(
        limiter
            .acquire(None, true, Duration::ZERO, &Pulse::default())
            .await
            .unwrap(),
    );
    let began = Instant::now();
    assert!(
        limiter
            .acquire(None, true, Duration::ZERO, &Pulse::default())
            .await
            .is_ok()
    );
    assert!(began.elapsed() >= Duration::from_secs(20));
}
