//! The limiter against a simulated server, event by event: minutes pass in no time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::gate::{Entry, Sent, State, Verdict};
use super::{Hopeless, Limiter};
use crate::ledger::CustomerId;

const MILLI: Duration = Duration::from_millis(1);

/// The server's token bucket, as the simulator has it.
#[derive(Debug, Clone, Copy)]
struct Limit {
    per_second: f64,
    burst: f64,
    refusals_count: bool,
    whole_seconds: bool,
}

impl Limit {
    fn of(per_second: f64) -> Self {
        Self {
            per_second,
            burst: per_second,
            refusals_count: false,
            whole_seconds: true,
        }
    }
}

/// What some customers are told whatever the limit is.
type Own = fn(u64) -> Option<Verdict>;

struct Server {
    /// Limits, each from so many seconds on.
    schedule: Vec<(u64, Option<Limit>)>,
    latency: Duration,
    jitter: Duration,
    own: Own,
    tokens: f64,
    filled_at: Duration,
}

impl Server {
    fn with(limit: Option<Limit>, latency: u64) -> Self {
        Self {
            schedule: vec![(0, limit)],
            latency: Duration::from_millis(latency),
            jitter: Duration::ZERO,
            own: |_| None,
            tokens: f64::MAX,
            filled_at: Duration::ZERO,
        }
    }

    fn answer(&mut self, customer: u64, at: Duration) -> Verdict {
        if let Some(verdict) = (self.own)(customer) {
            return verdict;
        }
        let mut schedule = self.schedule.iter().rev();
        let current = schedule.find(|(from, _)| *from <= at.as_secs());
        let Some(limit) = current.and_then(|(_, limit)| *limit) else {
            return Verdict::Served;
        };
        let since = at.saturating_sub(self.filled_at).as_secs_f64();
        self.filled_at = at.max(self.filled_at);
        self.tokens = (self.tokens + since * limit.per_second).min(limit.burst.max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Verdict::Served;
        }
        if limit.refusals_count {
            self.tokens = (self.tokens - 1.0).max(-limit.per_second * 60.0);
        }
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / limit.per_second);
        let wish = limit
            .whole_seconds
            .then(|| Duration::from_secs(wait.as_secs() + 1));
        Verdict::Refused { wish }
    }
}

/// What became of the requests.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Counts {
    served: u32,
    refused: u32,
}

impl Counts {
    fn refused_share(self) -> f64 {
        f64::from(self.refused) / f64::from(self.served + self.refused)
    }
}

enum Event {
    Answer(Sent, u64, Verdict),
    Look,
    Retry(u64),
}

/// Makes requests about ever new customers, at most `in_flight` at once, for so long; counts each
/// second's.
fn run(
    state: &mut State,
    server: &mut Server,
    start: Instant,
    in_flight: usize,
    secs: u64,
    customers: u64,
) -> Vec<Counts> {
    let mut seconds = vec![Counts::default(); usize::try_from(secs).unwrap()];
    let mut heap = BinaryHeap::new();
    let mut events: HashMap<u64, Event> = HashMap::new();
    let mut number = 0;
    let mut push = |heap: &mut BinaryHeap<Reverse<(Duration, u64)>>,
                    events: &mut HashMap<u64, Event>,
                    at: Duration,
                    event: Event| {
        number += 1;
        events.insert(number, event);
        heap.push(Reverse((at, number)));
    };
    let mut again = VecDeque::new();
    let (mut fresh, mut flying, mut draw) = (0, 0, 12345_u64);
    let mut looks_at = None;
    push(&mut heap, &mut events, Duration::ZERO, Event::Look);
    while let Some(Reverse((now, event))) = heap.pop() {
        if now >= Duration::from_secs(secs) {
            break;
        }
        match events.remove(&event).unwrap() {
            Event::Answer(sent, customer, verdict) => {
                flying -= 1;
                state.ended(sent, verdict, start + now);
                let second = &mut seconds[usize::try_from(now.as_secs()).unwrap()];
                match verdict {
                    Verdict::Refused { wish } => {
                        second.refused += 1;
                        if wish.is_none_or(|wish| wish < Duration::from_mins(10)) {
                            let wait = wish.unwrap_or(Duration::from_millis(700));
                            push(&mut heap, &mut events, now + wait, Event::Retry(customer));
                        }
                    }
                    _ => second.served += 1,
                }
            }
            Event::Look => looks_at = None,
            Event::Retry(customer) => again.push_back(customer),
        }
        while flying < in_flight {
            let Some(customer) = again
                .front()
                .copied()
                .or((fresh < customers).then_some(fresh))
            else {
                break;
            };
            let about = Some(CustomerId::from(Uuid::from_u128(customer.into())));
            let was_refused = !again.is_empty();
            match state.enter(about, was_refused, start + now) {
                Entry::Now(sent) => {
                    if again.pop_front().is_none() {
                        fresh += 1;
                    }
                    flying += 1;
                    draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let late = server.jitter.mul_f64(
                        f64::from(u32::try_from(draw >> 32).unwrap()) / f64::from(u32::MAX),
                    );
                    let latency = server.latency + late;
                    let verdict = server.answer(customer, now + latency / 2);
                    push(
                        &mut heap,
                        &mut events,
                        now + latency,
                        Event::Answer(sent, customer, verdict),
                    );
                }
                Entry::At(due) | Entry::Paused(due) => {
                    let due = due.duration_since(start);
                    // As fine as timers are.
                    let due = Duration::from_millis(
                        u64::try_from(due.as_nanos().div_ceil(MILLI.as_nanos())).unwrap(),
                    );
                    if looks_at.is_none_or(|at| due < at) {
                        looks_at = Some(due);
                        push(&mut heap, &mut events, due, Event::Look);
                    }
                    break;
                }
                Entry::After => {
                    let due = now + Duration::from_millis(50);
                    if looks_at.is_none_or(|at| due < at) {
                        looks_at = Some(due);
                        push(&mut heap, &mut events, due, Event::Look);
                    }
                    break;
                }
                Entry::Later | Entry::Hopeless => break,
            }
        }
    }
    seconds
}

fn sum(seconds: &[Counts]) -> Counts {
    seconds
        .iter()
        .fold(Counts::default(), |sum, second| Counts {
            served: sum.served + second.served,
            refused: sum.refused + second.refused,
        })
}

fn state(in_flight: usize) -> State {
    State::new(None, in_flight, Duration::from_mins(15))
}

/// Requests without an end for so long.
fn endless(server: &mut Server, in_flight: usize, secs: u64) -> Vec<Counts> {
    let mut state = state(in_flight);
    run(
        &mut state,
        server,
        Instant::now(),
        in_flight,
        secs,
        u64::MAX,
    )
}

/// A wish that some customers are always told.
fn wish(secs: u64) -> Verdict {
    let wish = (secs > 0).then(|| Duration::from_secs(secs));
    Verdict::Refused { wish }
}

#[test]
fn a_limit_is_used_and_few_requests_are_refused() {
    let mut missed = Vec::new();
    let kinds = [(true, false), (false, false), (true, true), (false, true)];
    for (per_second, in_flight) in [(5.0, 8), (50.0, 8), (50.0, 64), (500.0, 8), (500.0, 64)] {
        for latency in [2_u32, 40, 300] {
            let possible = f64::from(in_flight) * 1_000.0 / f64::from(latency);
            if possible < 1.2 * per_second {
                continue;
            }
            for (whole_seconds, refusals_count) in kinds {
                let limit = Limit {
                    refusals_count,
                    whole_seconds,
                    ..Limit::of(per_second)
                };
                let mut server = Server::with(Some(limit), latency.into());
                server.jitter = server.latency / 5;
                let in_flight = usize::try_from(in_flight).unwrap();
                let counts = sum(&endless(&mut server, in_flight, 300));
                let used = f64::from(counts.served) / per_second / 300.0;
                let refused = counts.refused_share();
                // Where refused calls count, all that is on its way when the server has nothing
                // left takes away as much of what is to come.
                // Where no wait is asked for, finding a small limit takes some more.
                let (least, most) = match (refusals_count, whole_seconds) {
                    (true, _) => (0.8, 0.05),
                    (false, true) => (0.9, 0.03),
                    (false, false) => (0.9, 0.04),
                };
                if used < least || refused > most {
                    missed.push(format!(
                        "{latency} ms, {in_flight} in flight, {limit:?}: {used:.3} used, {refused:.4} refused"
                    ));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_limit_with_a_small_reserve_is_learned_soon() {
    let limit = Limit {
        burst: 10.0,
        ..Limit::of(50.0)
    };
    let counts = sum(&endless(&mut Server::with(Some(limit), 5), 8, 12));
    assert!(counts.served > 500 && counts.refused < 60, "{counts:?}");
}

#[test]
fn a_limit_without_any_reserve_is_used_too() {
    for (per_second, least) in [(5.0, 0.75), (50.0, 0.6)] {
        for latency in [2, 40] {
            let limit = Limit {
                burst: 1.0,
                ..Limit::of(per_second)
            };
            let counts = sum(&endless(&mut Server::with(Some(limit), latency), 8, 300));
            let used = f64::from(counts.served) / per_second / 300.0;
            assert!(used > least, "{limit:?}, {latency} ms: {used} used");
            assert!(
                counts.refused_share() < 0.02,
                "{limit:?}, {latency} ms: {counts:?}"
            );
        }
    }
}

#[test]
fn without_a_limit_it_costs_a_fraction_of_a_second() {
    for (in_flight, latency) in [(8, 2), (8, 40), (64, 40)] {
        let mut server = Server::with(None, latency);
        let counts = sum(&endless(&mut server, in_flight, 20));
        let possible = u32::try_from(in_flight as u64 * 1_000 / latency * 20).unwrap();
        let share = f64::from(counts.served) / f64::from(possible);
        assert!(share > 0.95, "{in_flight} in flight, {latency} ms: {share}");
    }
}

#[test]
fn near_a_server_without_a_limit_a_short_run_loses_little() {
    for latency in [1, 2] {
        let seconds = endless(&mut Server::with(None, latency), 8, 1);
        let possible = u32::try_from(8 * 1_000 / latency).unwrap();
        let lost = f64::from(possible - sum(&seconds).served) / f64::from(possible);
        assert!(lost < 0.05, "{latency} ms: {lost} of the first second lost");
    }
}

#[test]
fn a_limit_that_changes_is_followed() {
    let mut server = Server::with(None, 20);
    server.schedule = vec![
        (0, Some(Limit::of(50.0))),
        (60, Some(Limit::of(5.0))),
        (120, Some(Limit::of(50.0))),
        (300, None),
    ];
    let seconds = endless(&mut server, 8, 420);
    let used = |from: usize, to: usize| {
        f64::from(sum(&seconds[from..to]).served) / f64::from(u32::try_from(to - from).unwrap())
    };
    assert!(used(10, 60) > 45.0, "{}", used(10, 60));
    assert!(used(70, 120) > 4.0, "{}", used(70, 120));
    assert!(used(230, 300) > 43.0, "{}", used(230, 300));
    assert!(used(370, 420) > 300.0, "{}", used(370, 420));
    let counts = sum(&seconds[..300]);
    assert!(counts.refused_share() < 0.08, "{counts:?}");
}

#[test]
fn a_few_customers_with_limits_of_their_own_do_not_hold_up_the_others() {
    let few: [Own; 4] = [
        |customer| (customer % 20 == 7).then(|| wish(0)),
        |customer| (customer % 20 == 7).then(|| wish(2)),
        |customer| (customer % 20 == 7).then(|| wish(3_600)),
        |customer| ((20..23).contains(&customer)).then(|| wish(3_600)),
    ];
    for own in few {
        for (in_flight, latency) in [(1, 10), (2, 10), (8, 40), (24, 5)] {
            let mut server = Server::with(None, latency);
            server.own = own;
            let mut state = state(in_flight);
            let seconds = run(&mut state, &mut server, Instant::now(), in_flight, 4, 60);
            assert_eq!(
                sum(&seconds).served,
                57,
                "{in_flight} in flight, {latency} ms: {seconds:?}"
            );
        }
    }
}

#[test]
fn many_customers_with_limits_of_their_own_do_not_lower_the_rate_for_long() {
    let mut server = Server::with(None, 10);
    server.own = |customer| (customer % 50 == 7).then(|| wish(3_600));
    let counts = sum(&endless(&mut server, 8, 300));
    // 8 in flight, 10 ms each.
    assert!(counts.served > 300 * 800 / 2, "{counts:?}");
}

#[test]
fn customers_refused_at_the_very_beginning_are_no_reason_to_wait() {
    let mut server = Server::with(None, 2);
    server.own = |customer| (customer < 10).then(|| wish(2));
    let mut state = state(2);
    let seconds = run(&mut state, &mut server, Instant::now(), 2, 2, 30);
    assert_eq!(
        sum(&seconds),
        Counts {
            served: 20,
            refused: 10
        }
    );
}

/// Lets one request after the other through while the state allows it.
fn enter_all(state: &mut State, now: Instant) -> Vec<Sent> {
    let mut sent = Vec::new();
    while let Entry::Now(one) = state.enter(None, true, now) {
        sent.push(one);
    }
    sent
}

/// One that was served, and a partner whose list of customers is refused with a wish.
fn refused_for_all(start: Instant, wish: Duration) -> State {
    let mut state = state(8);
    for verdict in [Verdict::Served, Verdict::Refused { wish: Some(wish) }] {
        let now = start + Duration::from_secs(u64::from(verdict != Verdict::Served));
        let sent = enter_all(&mut state, now).pop().unwrap();
        state.ended(sent, verdict, now);
    }
    state
}

#[test]
fn a_refusal_that_is_about_no_customer_pauses_everybody() {
    let start = Instant::now();
    let mut state = refused_for_all(start, Duration::from_secs(30));
    let second = start + Duration::from_secs(1);
    for secs in [0, 10, 29] {
        let customer = Some(CustomerId::from(Uuid::from_u128(secs.into())));
        let entry = state.enter(customer, true, second + Duration::from_secs(secs));
        assert!(matches!(entry, Entry::Paused(_)), "{secs}: {entry:?}");
    }
    let now = second + Duration::from_secs(31);
    assert_eq!(state.paused(now), Duration::from_secs(31));
    // Then one at a time, until it is answered.
    let probes = enter_all(&mut state, now);
    assert_eq!(probes.len(), 1);
    state.ended(probes[0], Verdict::Served, now + MILLI);
    assert!(!enter_all(&mut state, now + Duration::from_secs(1)).is_empty());
}

#[test]
fn what_was_refused_yesterday_stops_nobody_today() {
    let start = Instant::now();
    let mut state = refused_for_all(start, Duration::from_secs(30));
    let today = start + Duration::from_hours(24);
    for number in 0..3 {
        let customer = Some(CustomerId::from(Uuid::from_u128(number)));
        let now = today + Duration::from_secs(1) * u32::try_from(number).unwrap();
        let Entry::Now(sent) = state.enter(customer, true, now) else {
            panic!("{number} has to wait");
        };
        let wish = Some(Duration::from_secs(10));
        state.ended(sent, Verdict::Refused { wish }, now);
    }
}

#[test]
fn a_wish_beyond_all_patience_is_looked_at_again_and_given_up_in_the_end() {
    let start = Instant::now();
    let mut state = refused_for_all(start, Duration::MAX);
    let mut tried = 0;
    for secs in 1..20 * 60 {
        let now = start + Duration::from_secs(secs);
        for probe in enter_all(&mut state, now) {
            tried += 1;
            let wish = Some(Duration::MAX);
            state.ended(probe, Verdict::Refused { wish }, now);
        }
        let hopeless = matches!(state.enter(None, true, now), Entry::Hopeless);
        assert_eq!(hopeless, secs > 15 * 60 + 1, "after {secs} s");
    }
    assert!((10..40).contains(&tried), "{tried}");
}

#[tokio::test(start_paused = true)]
async fn the_configured_rate_is_a_bound_whatever_the_server_allows() {
    let limiter = Limiter::new(Some(20.0), 8, Duration::from_mins(1));
    let began = Instant::now();
    for _ in 0..200 {
        let pass = limiter.enter(None, true, Duration::MAX).await.unwrap();
        pass.answered(Verdict::Served);
    }
    let took = began.elapsed().as_millis();
    assert!((9_950..10_050).contains(&took), "{took} ms");
    assert_eq!(limiter.learned(), None);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_time_left_does_not_wait_for_the_end_of_a_pause() {
    let limiter = Limiter::new(None, 8, Duration::from_mins(15));
    let pass = limiter.enter(None, true, Duration::MAX).await.unwrap();
    let wish = Some(Duration::from_mins(1));
    pass.answered(Verdict::Refused { wish });
    let began = Instant::now();
    let short = limiter.enter(None, true, Duration::from_secs(7)).await;
    assert_eq!(short.unwrap_err(), Hopeless);
    assert_eq!(began.elapsed().as_secs(), 7);
    drop(limiter.enter(None, true, Duration::MAX).await.unwrap());
    assert_eq!(began.elapsed().as_secs(), 60);
    // It was dropped without an answer, so that somebody else is to find out.
    limiter.enter(None, true, Duration::MAX).await.unwrap();
}

proptest! {
    #[test]
    fn never_more_are_under_way_than_allowed_nor_any_in_a_pause(
        in_flight in 1_usize..20,
        steps in proptest::collection::vec((0_u64..400, 0_u8..8, 0_u8..6), 1..400),
    ) {
        let mut state = State::new(None, in_flight, Duration::from_mins(1));
        let mut now = Instant::now();
        let mut under_way = VecDeque::new();
        for (wait, who, what) in steps {
            now += Duration::from_millis(wait);
            let about = (who > 0).then(|| CustomerId::from(Uuid::from_u128(who.into())));
            if what < 3 {
                if let Entry::Now(sent) = state.enter(about, true, now) {
                    under_way.push_back(sent);
                }
                prop_assert!(under_way.len() <= in_flight);
            } else if let Some(sent) = under_way.pop_front() {
                let wish = Some(Duration::from_secs(wait / 50));
                let verdict = [Verdict::Served, Verdict::Unanswered, Verdict::Refused { wish }];
                state.ended(sent, verdict[usize::from(what - 3)], now);
            }
            if let Entry::Paused(until) = state.enter(about, true, now) {
                prop_assert!(until > now);
            }
        }
    }
}

#[test]
fn requests_that_hang_do_not_hold_up_the_others() {
    let mut state = State::new(None, 8, Duration::from_mins(15));
    let mut now = Instant::now();
    let mut most = 0;
    for _ in 0..3 {
        let mut under_way = Vec::new();
        loop {
            now += MILLI * 100;
            match state.enter(None, true, now) {
                Entry::Now(sent) => under_way.push(sent),
                _ => break,
            }
        }
        most = under_way.len();
        now += Duration::from_mins(1);
        for sent in under_way {
            state.ended(sent, Verdict::Unanswered, now);
        }
    }
    assert_eq!(most, 8);
}

#[tokio::test(start_paused = true)]
async fn where_calls_are_not_retried_the_first_attempt_waits_all_the_same() {
    let limiter = Limiter::new(None, 2, Duration::ZERO);
    let refused = |pass: super::Pass<'_>| {
        pass.answered(Verdict::Refused {
            wish: Some(Duration::from_secs(20)),
        });
    };
    refused(limiter.enter(None, true, Duration::ZERO).await.unwrap());
    let began = Instant::now();
    assert!(limiter.enter(None, true, Duration::ZERO).await.is_ok());
    assert!(began.elapsed() >= Duration::from_secs(20));
}
