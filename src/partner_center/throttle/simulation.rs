//! A simulated server with a token bucket, and requests to it, event by event, so that simulated
//! minutes take no time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::gate::{Decision, Gate, Reply, SentRequest};
use crate::ledger::CustomerId;

pub(super) const MILLI: Duration = Duration::from_millis(1);

/// The server's token bucket, as the simulator has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) per_second: f64,
    pub(super) burst: f64,
    pub(super) refusals_count: bool,
    pub(super) whole_seconds: bool,
}

impl Limit {
    pub(super) fn of(per_second: f64) -> Self {
        Self {
            per_second,
            burst: per_second,
            refusals_count: false,
            whole_seconds: true,
        }
    }
}

/// The reply to a request about a customer with a limit of its own, by the customer's number.
pub(super) type Own = fn(u64) -> Option<Reply>;

pub(super) struct Server {
    /// Limits, each with the second from which it applies.
    pub(super) schedule: Vec<(u64, Option<Limit>)>,
    pub(super) latency: Duration,
    pub(super) jitter: Duration,
    pub(super) own: Own,
    pub(super) tokens: f64,
    pub(super) filled_at: Duration,
}

impl Server {
    pub(super) fn with(limit: Option<Limit>, latency: u64) -> Self {
        Self {
            schedule: vec![(0, limit)],
            latency: Duration::from_millis(latency),
            jitter: Duration::ZERO,
            own: |_| None,
            tokens: f64::MAX,
            filled_at: Duration::ZERO,
        }
    }

    pub(super) fn answer(&mut self, customer: u64, at: Duration) -> Reply {
        if let Some(verdict) = (self.own)(customer) {
            return verdict;
        }
        let mut schedule = self.schedule.iter().rev();
        let current = schedule.find(|(from, _)| *from <= at.as_secs());
        let Some(limit) = current.and_then(|(_, limit)| *limit) else {
            return Reply::Served;
        };
        let since = at.saturating_sub(self.filled_at).as_secs_f64();
        self.filled_at = at.max(self.filled_at);
        self.tokens = (self.tokens + since * limit.per_second).min(limit.burst.max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Reply::Served;
        }
        if limit.refusals_count {
            self.tokens = (self.tokens - 1.0).max(-limit.per_second * 60.0);
        }
        let wait = Duration::from_secs_f64((1.0 - self.tokens) / limit.per_second);
        let wish = limit
            .whole_seconds
            .then(|| Duration::from_secs(wait.as_secs() + 1));
        Reply::RateLimited { retry_after: wish }
    }
}

/// What became of the requests.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Counts {
    pub(super) served: u32,
    pub(super) refused: u32,
}

impl Counts {
    pub(super) fn refused_share(self) -> f64 {
        f64::from(self.refused) / f64::from(self.served + self.refused)
    }
}

enum Event {
    Answer(SentRequest, u64, Reply),
    Look,
    Retry(u64),
}

/// Makes requests about one new customer after the other, at most `in_flight` at once, for `secs`
/// seconds. Returns the counts of each second.
pub(super) fn run(
    gate: &mut Gate,
    server: &mut Server,
    in_flight: usize,
    secs: u64,
    customers: u64,
) -> Vec<Counts> {
    let start = Instant::now();
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
                gate.complete(sent, verdict, start + now);
                let second = &mut seconds[usize::try_from(now.as_secs()).unwrap()];
                match verdict {
                    Reply::RateLimited { retry_after: wish } => {
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
            match gate.try_acquire(about, was_refused, start + now) {
                Decision::Send(sent) => {
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
                Decision::WaitUntil(due) | Decision::PausedUntil(due) => {
                    let due = due.duration_since(start);
                    // Rounded up to a millisecond, as timers are.
                    let due = Duration::from_millis(
                        u64::try_from(due.as_nanos().div_ceil(MILLI.as_nanos())).unwrap(),
                    );
                    if looks_at.is_none_or(|at| due < at) {
                        looks_at = Some(due);
                        push(&mut heap, &mut events, due, Event::Look);
                    }
                    break;
                }
                Decision::RetriesFirst => {
                    let due = now + Duration::from_millis(50);
                    if looks_at.is_none_or(|at| due < at) {
                        looks_at = Some(due);
                        push(&mut heap, &mut events, due, Event::Look);
                    }
                    break;
                }
                Decision::WaitForReply | Decision::GiveUp => break,
            }
        }
    }
    seconds
}

pub(super) fn sum(seconds: &[Counts]) -> Counts {
    seconds
        .iter()
        .fold(Counts::default(), |sum, second| Counts {
            served: sum.served + second.served,
            refused: sum.refused + second.refused,
        })
}

pub(super) fn gate() -> Gate {
    Gate::new(None, Duration::from_mins(15))
}

/// As [`run`], with a customer list that does not end.
pub(super) fn endless(server: &mut Server, in_flight: usize, secs: u64) -> Vec<Counts> {
    let mut gate = gate();
    run(&mut gate, server, in_flight, secs, u64::MAX)
}

/// A refusal that asks for a wait of this many seconds; of zero, for none.
pub(super) fn limited(secs: u64) -> Reply {
    Reply::RateLimited {
        retry_after: (secs > 0).then(|| Duration::from_secs(secs)),
    }
}
