//! Which request may go out when: the learned rate, the configured bound, the number in flight and whose limit was hit,
//! put together. Pure in time.

use std::time::Duration;

use tokio::time::Instant;

use super::blame::{Blame, Gate, Sign};
use super::rate::{Decrease, Rate};
use crate::usage::CustomerId;

/// Requests under way before the first answer. Each that ends without one makes place for another: a few customers for
/// whom nothing comes must not hold up the rest.
const FIRST_WINDOW: usize = 3;

/// So many that are served make place for one more.
const WINDOW_STEP: u64 = 3;

/// Timers are no finer than a millisecond and a busy machine is late, so that so much delay may be made up for.
const CATCH_UP: Duration = Duration::from_millis(8);

/// The distance between requests that are refused doubles so often at the most.
const LONGEST_HOLD: u32 = 12;

/// When nobody asked for so long, what was refused before says nothing about now.
const LONG_REST: Duration = Duration::from_secs(30);

/// Refused requests are made up for by a pause of this length at the most.
const MAKE_UP: Duration = Duration::from_secs(1);

/// When nobody asked for so long, the server's bucket is full.
const REST: Duration = Duration::from_secs(1);

/// How long ago a request may have waited for the rate, at least, for the rate still to be what holds us back.
const BOUND: Duration = Duration::from_secs(1);

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Verdict {
    /// Let through by whatever counts requests.
    Served,
    /// Answered, but by a server in trouble.
    Troubled,
    /// 429, with the wait that the server asks for.
    Refused {
        /// The server's wish.
        wish: Option<Duration>,
    },
    /// No answer at all.
    Unanswered,
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    id: u64,
    at: Instant,
    about: Option<CustomerId>,
}

/// Whether a request may go out.
#[derive(Debug)]
pub(super) enum Entry {
    /// It goes out now.
    Now(Sent),
    /// Ask again then, or when something ends.
    At(Instant),
    /// As before, but everybody waits, so that the wait is not one for one's turn.
    Paused(Instant),
    /// Ask again when something ends.
    Later,
    /// Everybody has waited for longer than any call is retried.
    Hopeless,
}

#[derive(Debug)]
pub(super) struct State {
    /// The configured bounds.
    max_per_second: Option<f64>,
    max_in_flight: usize,
    /// Requests that may be under way; grows to the bound with the first answers.
    window: usize,
    in_flight: usize,
    sent: u64,
    served: u64,
    /// The schedule: when the next request is due.
    next: Option<Instant>,
    /// When a request last had to wait for the rate.
    bound_at: Option<Instant>,
    /// Of the latest answers, smoothed.
    latency: Duration,
    rate: Rate,
    blame: Blame,
}

impl State {
    pub(super) fn new(
        max_per_second: Option<f64>,
        max_in_flight: usize,
        patience: Duration,
    ) -> Self {
        Self {
            max_per_second,
            max_in_flight,
            window: FIRST_WINDOW.min(max_in_flight),
            in_flight: 0,
            sent: 0,
            served: 0,
            next: None,
            bound_at: None,
            latency: Duration::ZERO,
            rate: Rate::new(),
            blame: Blame::new(patience),
        }
    }

    pub(super) fn learned(&self) -> Option<f64> {
        self.rate.learned()
    }

    pub(super) fn paused(&self, now: Instant) -> Duration {
        self.blame.paused(now)
    }

    /// Asks for a request's turn.
    pub(super) fn enter(&mut self, about: Option<CustomerId>, now: Instant) -> Entry {
        match self.blame.gate(now) {
            Gate::Paused(_) if self.blame.is_hopeless(now) => return Entry::Hopeless,
            Gate::Paused(until) => return Entry::Paused(until),
            Gate::Probing => return Entry::Later,
            Gate::Open if self.in_flight >= self.window => return Entry::Later,
            Gate::Open => {}
        }
        let due = self.next.unwrap_or(now);
        if now < due {
            self.bound_at = Some(now);
            return match self.blame.stuck(now) {
                None => Entry::At(due),
                Some(_) if self.blame.is_hopeless(now) => Entry::Hopeless,
                Some(_) => Entry::Paused(due),
            };
        }
        if now.saturating_duration_since(due) > REST {
            self.rate.rested();
        }
        if now.saturating_duration_since(due) > LONG_REST {
            self.blame.rested(now);
        }
        if let Some(interval) = self.interval() {
            let due = due.max(now.checked_sub(CATCH_UP).unwrap_or(now));
            self.next = Some(due + interval);
        } else {
            self.next = Some(now);
        }
        self.in_flight += 1;
        self.sent += 1;
        self.blame.sent(self.sent);
        Entry::Now(Sent {
            id: self.sent,
            at: now,
            about,
        })
    }

    /// Takes note of how a request ended.
    pub(super) fn ended(&mut self, sent: Sent, verdict: Verdict, now: Instant) {
        self.in_flight -= 1;
        self.blame.ended(sent.id);
        match verdict {
            Verdict::Served => {
                self.blame.served(sent.about, sent.at, now);
                self.served += 1;
                if self.served.is_multiple_of(WINDOW_STEP) {
                    self.widen();
                }
                let bound = self.is_bound(now);
                let latency = now.saturating_duration_since(sent.at);
                self.latency = if self.latency.is_zero() {
                    latency
                } else {
                    (self.latency * 7 + latency) / 8
                };
                self.rate.served(now, self.latency, bound);
            }
            Verdict::Troubled => {
                self.blame.served(sent.about, sent.at, now);
                self.widen();
            }
            Verdict::Refused { wish } => {
                match self.blame.refused(sent.about, sent.at, wish, now) {
                    Sign::Own | Sign::First => self.rate.refused(now),
                    Sign::Several => self.decrease(sent, false, now),
                    Sign::All => self.decrease(sent, true, now),
                }
                self.hold(wish, now);
            }
            Verdict::Unanswered => self.widen(),
        }
    }

    fn widen(&mut self) {
        self.window = (self.window + 1).min(self.max_in_flight);
    }

    fn decrease(&mut self, sent: Sent, certain: bool, now: Instant) {
        match self.rate.decrease(now, sent.at, certain) {
            Decrease::Done => self.next = self.interval().map(|interval| now + interval),
            Decrease::Futile => self.blame.tolerate(now),
            Decrease::Stale => {}
        }
    }

    /// Refused requests may be counted too, and must be made up for. As long as nobody gets through, each further
    /// attempt comes later than the one before.
    fn hold(&mut self, wish: Option<Duration>, now: Instant) {
        let Some(interval) = self.interval().filter(|_| self.rate.learned().is_some()) else {
            return;
        };
        let next = self.next.map_or(now, |next| next.max(now));
        let in_vain = self.blame.in_vain().min(LONGEST_HOLD);
        let hold = if in_vain > 0 {
            now + (interval * 2_u32.pow(in_vain)).min(Duration::from_mins(1))
        } else if wish.is_none() {
            (next + interval).min(now + MAKE_UP.max(interval))
        } else {
            next
        };
        self.next = Some(next.max(hold));
        if let Gate::Paused(until) = self.blame.gate(now) {
            self.next = self.next.max(Some(until));
            self.rate.paused();
        }
    }

    /// Time between two requests.
    fn interval(&self) -> Option<Duration> {
        let rates = [self.rate.per_second(), self.max_per_second];
        let lowest = rates.into_iter().flatten().min_by(f64::total_cmp)?;
        Some(Duration::from_secs_f64(1.0 / lowest))
    }

    /// Whether it is the learned rate that holds requests back.
    fn is_bound(&self, now: Instant) -> bool {
        let learned = self.rate.per_second();
        let lower = match (learned, self.max_per_second) {
            (Some(learned), Some(max)) => learned < max,
            (learned, _) => learned.is_some(),
        };
        let recently = BOUND.max(self.interval().unwrap_or_default() * 3);
        lower
            && self
                .bound_at
                .is_some_and(|at| now.saturating_duration_since(at) < recently)
    }
}
