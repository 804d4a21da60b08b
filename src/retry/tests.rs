use super::*;
use proptest::prelude::*;

#[derive(Debug)]
struct Fault(Disposition);

#[derive(Debug)]
struct Limited(Option<Duration>);

impl Classify for Limited {
    fn disposition(&self) -> Disposition {
        Disposition::Retry { after: self.0 }
    }

    fn pace(&self) -> Pace {
        Pace::Limit
    }
}

/// The time and the attempts that a limit of this length costs.
async fn limited(secs: u64, wish: Option<Duration>) -> (Duration, u32) {
    let began = Instant::now();
    let shutdown = Shutdown::default();
    let mut attempts = policy(1_000, 60_000, 900_000).attempts(&shutdown);
    for made in 1.. {
        let is_over = began.elapsed() >= Duration::from_secs(secs);
        let result = if is_over { Ok(()) } else { Err(Limited(wish)) };
        if let Some(end) = attempts.run(async { result }).await {
            end.unwrap();
            return (began.elapsed(), made);
        }
    }
    unreachable!("the limit ends")
}

#[tokio::test(start_paused = true)]
async fn a_limit_costs_its_own_length_and_at_most_a_third_more() {
    for secs in [2, 10, 60] {
        for _ in 0..50 {
            let (took, made) = limited(secs, None).await;
            let most = Duration::from_secs(secs + 1 + secs / 3);
            assert!(took <= most, "{secs} s cost {took:?}");
            assert!(made < 40, "{secs} s cost {made} attempts");
            let (took, _) = limited(secs, Some(Duration::from_secs(secs))).await;
            assert!(
                took <= Duration::from_secs(secs + 1),
                "{secs} s cost {took:?}"
            );
        }
    }
}

impl Classify for Fault {
    fn disposition(&self) -> Disposition {
        self.0
    }
}

fn policy(initial: u64, max: u64, elapsed: u64) -> RetryPolicy {
    RetryPolicy::try_new(
        Duration::from_millis(initial),
        Duration::from_millis(max),
        Duration::from_millis(elapsed),
    )
    .unwrap()
}

fn waits(policy: RetryPolicy) -> impl Iterator<Item = Duration> {
    let mut waits = policy.waits();
    std::iter::from_fn(move || waits.next_backoff())
}

/// Tries until the end, and says how many attempts it took.
async fn retry<T>(
    policy: RetryPolicy,
    shutdown: &Shutdown,
    mut attempt: impl FnMut(u32) -> Result<T, Fault>,
) -> (Result<T, RetryError<Fault>>, u32) {
    let mut attempts = policy.attempts(shutdown);
    let mut made = 0;
    loop {
        made += 1;
        let result = attempt(made);
        if let Some(end) = attempts.run(async { result }).await {
            return (end, made);
        }
    }
}

proptest! {
    #[test]
    fn each_wait_lies_between_nothing_and_the_doubled_interval(
        initial in 1u64..10_000,
        factor in 1u64..1_000,
    ) {
        let max = initial * factor;
        let mut nominal = Duration::from_millis(initial);
        for wait in waits(policy(initial, max, 0)).take(20) {
            prop_assert!(wait <= nominal + Duration::from_millis(1), "{wait:?} over {nominal:?}");
            nominal = (nominal * 2).min(Duration::from_millis(max));
        }
    }
}

#[test]
fn waits_are_spread_over_the_whole_interval() {
    let firsts: Vec<_> = (0..200)
        .filter_map(|_| waits(policy(1_000, 1_000, 0)).next())
        .collect();
    assert!(firsts.iter().any(|wait| wait.as_millis() < 200));
    assert!(firsts.iter().any(|wait| wait.as_millis() > 800));
}

#[test]
fn a_policy_that_makes_no_sense_cannot_be_built() {
    let second = Duration::from_secs(1);
    assert_eq!(
        RetryPolicy::try_new(Duration::ZERO, second, second),
        Err(InvalidPolicy::ZeroInitial)
    );
    assert_eq!(
        RetryPolicy::try_new(second * 2, second, second),
        Err(InvalidPolicy::MaxBelowInitial)
    );
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_the_server_asks_for_is_a_lower_bound() {
    let began = Instant::now();
    let after = Some(Duration::from_secs(7));
    let result = retry(policy(10, 20, 60_000), &Shutdown::default(), |n| {
        if n < 3 {
            Err(Fault(Disposition::Retry { after }))
        } else {
            Ok("done")
        }
    })
    .await;
    assert_eq!((result.0.unwrap(), result.1), ("done", 3));
    assert!(began.elapsed() >= Duration::from_secs(14));
}

#[tokio::test(start_paused = true)]
async fn a_requested_wait_beyond_the_time_left_ends_the_operation_at_once() {
    let began = Instant::now();
    let after = Some(Duration::from_hours(1));
    let result = retry(policy(10, 20, 60_000), &Shutdown::default(), |_| {
        Err::<(), _>(Fault(Disposition::Retry { after }))
    })
    .await;
    assert!(matches!(
        result.0,
        Err(RetryError::Failed { attempts: 1, .. })
    ));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn retrying_ends_when_the_time_is_used_up() {
    let began = Instant::now();
    let result = retry(policy(100, 400, 5_000), &Shutdown::default(), |_| {
        Err::<(), _>(Fault(Disposition::Retry { after: None }))
    })
    .await;
    assert!(matches!(result.0, Err(RetryError::Failed { attempts, .. }) if attempts > 5));
    assert!(began.elapsed() <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_heard_during_a_wait() {
    let shutdown = Shutdown::default();
    let asked = shutdown.graceful.clone();
    let result = retry(policy(60_000, 60_000, 600_000), &shutdown, |_| {
        asked.cancel();
        Err::<(), _>(Fault(Disposition::Retry { after: None }))
    })
    .await;
    assert!(matches!(
        result.0,
        Err(RetryError::Stopped {
            attempts: 1,
            last: Some(_)
        })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_forced_stop_ends_an_attempt_under_way() {
    let shutdown = Shutdown::default();
    let mut attempts = policy(1, 1, 1_000).attempts(&shutdown);
    let forced = shutdown.forced.clone();
    let attempt = async {
        forced.cancel();
        std::future::pending::<Result<(), Fault>>().await
    };
    let end = attempts.run(attempt).await.unwrap();
    assert!(matches!(
        end,
        Err(RetryError::Stopped {
            attempts: 1,
            last: None
        })
    ));
}

#[tokio::test]
async fn an_error_that_aborts_the_run_is_fatal() {
    let result = retry(policy(1, 1, 1_000), &Shutdown::default(), |_| {
        Err::<(), _>(Fault(Disposition::AbortRun(Remedy::Person)))
    })
    .await;
    let end = result.0.unwrap_err();
    assert!(matches!(end, RetryError::Fatal(_)));
    assert_eq!(end.remedy(), Remedy::Person);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_likely_permanent_is_given_up_early() {
    #[derive(Debug)]
    struct UnknownHost;
    impl Classify for UnknownHost {
        fn disposition(&self) -> Disposition {
            Disposition::Retry { after: None }
        }
        fn is_likely_permanent(&self) -> bool {
            true
        }
    }
    let began = Instant::now();
    let shutdown = Shutdown::default();
    let policy = policy(100, 400, 60_000).with_likely_permanent(Duration::from_secs(2));
    let mut attempts = policy.attempts(&shutdown);
    while attempts
        .run(async { Err::<(), _>(UnknownHost) })
        .await
        .is_none()
    {}
    assert!(began.elapsed() <= Duration::from_secs(2));
}

#[tokio::test]
async fn what_no_retry_mends_is_tried_once() {
    let result = retry(policy(1, 1, 1_000), &Shutdown::default(), |_| {
        Err::<(), _>(Fault(Disposition::SkipCustomer(Remedy::Person)))
    })
    .await;
    assert!(matches!(
        result.0,
        Err(RetryError::Failed { attempts: 1, .. })
    ));
}
