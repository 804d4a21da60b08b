//! Whole runs, in paused time, against a server that throttles for a while: how long they take, and
//! how many requests they send.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use futures_util::future::join_all;
use uuid::Uuid;

use super::*;
use crate::partner_center::throttle::limiter::Reply;
use crate::retry::{Classify, Disposition, Pace, RetryPolicy};
use crate::shutdown::Shutdown;

/// As many calls as a run has in flight and waiting.
const WORKERS: usize = 264;
const IN_FLIGHT: usize = 8;
const LATENCY: Duration = Duration::from_millis(20);

/// The server's answer to the n-th request about a customer, by the time since the run began.
type Answer<'a> = dyn Fn(usize, u32, Duration) -> Result<(), Refusal> + 'a;

#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// A limit, with the wait that is asked for.
    Limit(Option<Duration>),
    /// 503 without `Retry-After`.
    Doubtful,
    /// A server error, such as 500.
    Trouble,
}

impl Classify for Refusal {
    fn disposition(&self) -> Disposition {
        Disposition::Retry {
            after: match self {
                Self::Limit(wish) => *wish,
                Self::Doubtful | Self::Trouble => None,
            },
        }
    }

    fn pace(&self) -> Pace {
        match self {
            Self::Limit(_) | Self::Doubtful => Pace::Limit,
            Self::Trouble => Pace::Backoff,
        }
    }
}

#[derive(Debug, Default)]
struct Run {
    took: Duration,
    requests: u64,
    retries: u64,
    failed: u64,
}

struct Client<'a> {
    admission: Admission,
    budget: RetryBudget,
    policy: RetryPolicy,
    answer: &'a Answer<'a>,
    began: Instant,
    queue: RefCell<std::ops::Range<usize>>,
    requests: Cell<u64>,
    retries: Cell<u64>,
    failed: Cell<u64>,
}

impl Client<'_> {
    async fn work(&self) {
        loop {
            let Some(customer) = self.queue.borrow_mut().next() else {
                return;
            };
            if self.call(customer).await.is_err() {
                self.failed.set(self.failed.get() + 1);
            }
        }
    }

    /// Makes a call as the client does, without HTTP.
    async fn call(&self, customer: usize) -> Result<(), ()> {
        let _counted = self.budget.begin_call();
        let shutdown = Shutdown::default();
        let about = Some(CustomerId::from(Uuid::from_u128(customer as u128)));
        let mut attempts = self.policy.attempts(&shutdown);
        let mut retry = None;
        let mut sent = 0;
        loop {
            let acquired = self
                .admission
                .acquire(&self.budget, about, &mut attempts, retry);
            let (place, permit) = acquired.await.map_err(|_| ())?;
            self.requests.set(self.requests.get() + 1);
            self.budget.request_sent();
            self.retries.set(self.retries.get() + u64::from(sent > 0));
            sent += 1;
            tokio::time::sleep(LATENCY / 2).await;
            let answer = (self.answer)(customer, sent, self.began.elapsed());
            tokio::time::sleep(LATENCY / 2).await;
            permit.complete(match answer {
                Ok(()) => Reply::Served,
                Err(Refusal::Limit(wish)) => Reply::RateLimited { retry_after: wish },
                Err(Refusal::Doubtful) => Reply::Unavailable,
                Err(Refusal::Trouble) => Reply::ServerError,
            });
            drop(place);
            let Err(error) = answer else {
                self.budget.answered();
                return Ok(());
            };
            self.budget.failed(retry.is_some());
            let error = attempts.after(error).await.map_err(|_| ())?;
            retry = Some(Retry {
                before: retry.map_or(0, |retry| retry.before + 1),
                cause: match error {
                    Refusal::Limit(Some(_)) => RetryCause::RetryAfter,
                    Refusal::Limit(None) => RetryCause::RateLimited,
                    Refusal::Doubtful => RetryCause::Unavailable,
                    Refusal::Trouble => RetryCause::ServerError,
                },
            });
        }
    }
}

async fn run(customers: usize, elapsed: Duration, answer: &Answer<'_>) -> Run {
    run_with(IN_FLIGHT, customers, elapsed, answer).await
}

async fn run_with(
    in_flight: usize,
    customers: usize,
    elapsed: Duration,
    answer: &Answer<'_>,
) -> Run {
    let second = Duration::from_secs(1);
    let client = Client {
        admission: Admission::new(None, in_flight, elapsed),
        budget: RetryBudget::default(),
        policy: RetryPolicy::try_new(second, second * 60, elapsed).unwrap(),
        answer,
        began: Instant::now(),
        queue: RefCell::new(0..customers),
        requests: Cell::default(),
        retries: Cell::default(),
        failed: Cell::default(),
    };
    join_all((0..WORKERS.min(customers)).map(|_| client.work())).await;
    Run {
        took: client.began.elapsed(),
        requests: client.requests.get(),
        retries: client.retries.get(),
        failed: client.failed.get(),
    }
}

const QUARTER: Duration = Duration::from_mins(15);

/// The wait that a throttle asks for.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Exact,
    OneSecond,
    Nothing,
    /// None, with status 503.
    Doubtful,
}

const WISHES: [Wish; 4] = [Wish::Exact, Wish::OneSecond, Wish::Nothing, Wish::Doubtful];

impl Wish {
    fn of(self, left: Duration) -> Refusal {
        match self {
            Self::Exact => Refusal::Limit(Some(Duration::from_secs(left.as_secs() + 1))),
            Self::OneSecond => Refusal::Limit(Some(Duration::from_secs(1))),
            Self::Nothing => Refusal::Limit(None),
            Self::Doubtful => Refusal::Doubtful,
        }
    }

    /// By how much more than the throttle's own length it may delay a run.
    fn slack(self, length: Duration) -> Duration {
        match self {
            Self::Exact | Self::OneSecond => Duration::from_secs(3),
            Self::Nothing | Self::Doubtful => length / 2 + Duration::from_secs(3),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_on_everything_costs_about_its_own_length() {
    let mut missed = Vec::new();
    for customers in [1, 2, 6, 12, 60] {
        let alone = run(customers, QUARTER, &|_, _, _| Ok(())).await;
        for length in [2, 10, 60].map(Duration::from_secs) {
            for begins in [0.0, 0.4, 0.95] {
                for wish in WISHES {
                    let from = alone.took.mul_f64(begins);
                    let run = run(customers, QUARTER, &|_, _, now| {
                        if (from..from + length).contains(&now) {
                            Err(wish.of((from + length).saturating_sub(now)))
                        } else {
                            Ok(())
                        }
                    })
                    .await;
                    // A server that fails from the beginning may be down, so it is asked again less
                    // often.
                    let is_down = begins == 0.0 && matches!(wish, Wish::Doubtful);
                    let longer = if is_down {
                        length / 3 + Duration::from_secs(5)
                    } else {
                        Duration::ZERO
                    };
                    let most = alone.took + length + wish.slack(length) + longer;
                    if run.took > most || run.failed > 0 {
                        missed.push(format!(
                            "{customers} customers, {length:?} from {from:?}, {wish:?}: {run:?} \
                             instead of {:?}",
                            alone.took
                        ));
                    }
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_throttle_costs_a_large_run_no_more_than_a_small_one() {
    let length = Duration::from_secs(10);
    for (begins, wish) in [(0, Wish::Exact), (6, Wish::Nothing), (6, Wish::Doubtful)] {
        let from = Duration::from_secs(begins);
        let run = run(6_000, QUARTER, &|_, _, now| {
            if (from..from + length).contains(&now) {
                Err(wish.of((from + length).saturating_sub(now)))
            } else {
                Ok(())
            }
        })
        .await;
        // Without a throttle the run takes fifteen seconds.
        let most = Duration::from_secs(16) + length + wish.slack(length);
        assert!(run.took < most && run.failed == 0, "{wish:?}: {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxys_limit_with_status_503_is_learned_like_one_with_429() {
    // As nginx and its like limit: twenty a second, five at once.
    let (per_second, burst, customers) = (20.0, 5.0, 500);
    let run_with = async |refusal: Refusal| {
        let bucket = Cell::new((Duration::ZERO, burst));
        run(customers, QUARTER, &|_, _, now| {
            let (since, left) = bucket.get();
            let left = (left + now.saturating_sub(since).as_secs_f64() * per_second).min(burst);
            let is_served = left >= 1.0;
            bucket.set((now, if is_served { left - 1.0 } else { left }));
            if is_served { Ok(()) } else { Err(refusal) }
        })
        .await
    };
    for refusal in [Refusal::Limit(None), Refusal::Doubtful] {
        let run = run_with(refusal).await;
        assert_eq!(run.failed, 0, "{refusal:?}: {run:?}");
        assert!(run.took < Duration::from_secs(35), "{refusal:?}: {run:?}");
        // Until refused customers are seen to be served later, each 503 may be a fault of one
        // customer.
        assert!(run.requests < 2_000, "{refusal:?}: {run:?}");
    }
}

/// A run in which one customer in `every` is refused for `length`, from its first request on.
async fn run_with_limits_of_their_own(
    customers: usize,
    every: usize,
    length: Duration,
    wish: Wish,
) -> Run {
    let first = RefCell::new(HashMap::new());
    run(customers, QUARTER, &|customer, _, now| {
        let since = *first.borrow_mut().entry(customer).or_insert(now);
        if customer % every == 0 && now < since + length {
            Err(wish.of((since + length).saturating_sub(now)))
        } else {
            Ok(())
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn limits_of_the_customers_own_cost_about_their_own_length() {
    let mut missed = Vec::new();
    for (customers, every) in [
        (1, 1),
        (2, 1),
        (6, 1),
        (12, 1),
        (30, 3),
        (60, 3),
        (60, 10),
        (600, 30),
    ] {
        let alone = run(customers, QUARTER, &|_, _, _| Ok(())).await;
        for length in [2, 10, 60].map(Duration::from_secs) {
            // Where very many customers are refused again and again, some refusals in a row are
            // attributed to the tenant's limit.
            let wishes = WISHES.iter().take(match customers {
                0..=12 => 4,
                13..=60 => 2,
                _ => 1,
            });
            for &wish in wishes {
                let run = run_with_limits_of_their_own(customers, every, length, wish).await;
                let most = alone.took * 2 + length + wish.slack(length);
                if run.took > most || run.failed > 0 {
                    missed.push(format!(
                        "{length:?} for one in {every} of {customers} customers, {wish:?}: {run:?} \
                         instead of {:?}",
                        alone.took
                    ));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test(start_paused = true)]
async fn where_every_customer_is_refused_at_first_a_run_takes_a_bounded_time() {
    for (customers, most) in [(60, 15), (600, 100)] {
        let length = Duration::from_secs(2);
        let run = run_with_limits_of_their_own(customers, 1, length, Wish::Exact).await;
        assert_eq!(run.failed, 0);
        assert!(run.took < Duration::from_secs(most), "{customers}: {run:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_stay_under_a_fifth_of_the_calls_where_everything_fails() {
    let refusals = [Refusal::Trouble, Refusal::Limit(None)];
    let mut missed = Vec::new();
    for refusal in refusals {
        for customers in [200, 600] {
            for elapsed in [8, 60] {
                let elapsed = Duration::from_secs(elapsed);
                let run = run(customers, elapsed, &|_, _, _| Err(refusal)).await;
                if run.retries * 5 >= run.requests {
                    missed.push(format!(
                        "{customers} customers, {refusal:?}, {elapsed:?}: {run:?}"
                    ));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[tokio::test(start_paused = true)]
async fn customers_who_always_fail_do_not_slow_the_others() {
    for (customers, dead) in [(60, 1), (60, 12), (500, 200)] {
        let alone = run(customers, QUARTER, &|_, _, _| Ok(())).await;
        let done = Cell::new(Duration::ZERO);
        let run = run(customers, Duration::from_mins(1), &|customer, _, now| {
            if customer * dead / customers != (customer + 1) * dead / customers {
                return Err(Refusal::Doubtful);
            }
            done.set(now);
            Ok(())
        })
        .await;
        assert_eq!(run.failed, dead as u64);
        let most = alone.took * 3 + Duration::from_secs(3);
        assert!(
            done.get() < most,
            "{dead} of {customers}: {:?}, {run:?}",
            done.get()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_learned_by_a_run() {
    let bucket = Cell::new((10.0_f64, Duration::ZERO));
    let refused = Cell::new(0);
    let run = run(600, QUARTER, &|_, _, now| {
        let (tokens, at) = bucket.get();
        let tokens = (tokens + now.saturating_sub(at).as_secs_f64() * 50.0).min(10.0);
        let is_served = tokens >= 1.0;
        bucket.set((if is_served { tokens - 1.0 } else { tokens }, now));
        if is_served {
            return Ok(());
        }
        refused.set(refused.get() + 1);
        Err(Refusal::Limit(Some(Duration::from_secs(1))))
    })
    .await;
    assert!(
        run.took < Duration::from_secs(25) && refused.get() < 60,
        "{run:?}"
    );
}

/// As `make bench-throttling` measures it, at 32 in flight.
#[tokio::test(start_paused = true)]
async fn a_limit_is_used_by_a_run_from_a_cold_start() {
    // Retries are spread at random, so that one run of 600 calls may have twice as many refusals as
    // another. The mean of so many calls hardly differs.
    const CALLS: u32 = 10_000;

    for (limit, secs, counted) in [
        (5_u32, 120, false),
        (50, 60, false),
        (500, 30, false),
        (5, 120, true),
        (50, 60, true),
        (500, 30, true),
    ] {
        let per_second = f64::from(limit);
        let customers = limit * secs;
        let runs = CALLS.div_ceil(customers);
        let (refused, mut took) = (Cell::new(0_u32), Duration::ZERO);
        for _ in 0..runs {
            let bucket = Cell::new((per_second, Duration::ZERO));
            let run = run_with(32, customers as usize, QUARTER, &|_, _, now| {
                let (tokens, at) = bucket.get();
                let filled = tokens + now.saturating_sub(at).as_secs_f64() * per_second;
                let mut tokens = filled.min(per_second);
                let is_served = tokens >= 1.0;
                if is_served || counted {
                    tokens -= 1.0;
                }
                bucket.set((tokens, now));
                if is_served {
                    return Ok(());
                }
                refused.set(refused.get() + 1);
                let wait = Duration::from_secs_f64((1.0 - tokens) / per_second);
                Err(Refusal::Limit(Some(Duration::from_secs(
                    wait.as_secs() + 1,
                ))))
            })
            .await;
            took += run.took;
        }
        let served = f64::from(customers * runs);
        let used = served / took.as_secs_f64() / per_second;
        let refused = f64::from(refused.get()) / (served + f64::from(refused.get()));
        let (least, most) = if counted { (0.75, 0.07) } else { (0.9, 0.045) };
        assert!(
            used >= least && refused <= most,
            "{limit} a second, refused calls count: {counted}: {used:.3} used, {refused:.4} refused"
        );
    }
}
