//! Which request may go out when: the learned rate, the configured bound, the number in flight and
//! whose limit was hit, put together. Pure in time.

use std::time::Duration;

use tokio::time::Instant;

use super::attribution::{Attribution, Evidence, Gate, Refusal};
use super::rate::Rate;
use crate::ledger::CustomerId;

/// Requests under way before the first answer. Each that ends without one makes place for another:
/// a few customers for whom nothing comes must not hold up the rest.
const FIRST_WINDOW: usize = 3;

/// So many that are served make place for one more.
const WINDOW_STEP: u64 = 3;

/// Timers are no finer than a millisecond and a busy machine is late, so that so much delay may be
/// made up for.
const CATCH_UP: Duration = Duration::from_millis(8);

/// When nobody asked for so long, what was refused before says nothing about now.
const LONG_REST: Duration = Duration::from_secs(30);

/// Refused requests are made up for by a pause of this length at the most.
const MAKE_UP: Duration = Duration::from_secs(1);

/// When nobody asked for so long, the server's bucket is full.
const REST: Duration = Duration::from_secs(1);

/// How long ago a request may have waited for the rate, at least, for the rate still to be what
/// holds us back.
const BOUND: Duration = Duration::from_secs(1);

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Verdict {
    /// Let through by whatever counts requests.
    Served,
    /// Answered, but by a server in trouble.
    Troubled,
    /// By a limit, with the wait that the server asks for.
    Refused {
        /// The server's wish.
        wish: Option<Duration>,
    },
    /// 503 without such a wait: a proxy's limit, or a server in trouble.
    Doubtful,
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
    /// Those who were told when to come are to have the turn first.
    After,
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
    attribution: Attribution,
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
            attribution: Attribution::new(patience),
        }
    }

    pub(super) fn learned(&self) -> Option<f64> {
        self.rate.learned()
    }

    pub(super) fn paused(&self, now: Instant) -> Duration {
        self.attribution.paused(now)
    }

    pub(super) fn has_served(&self) -> bool {
        self.attribution.has_served()
    }

    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.attribution.stuck(now).is_some()
    }

    /// Asks for a request's turn.
    pub(super) fn enter(
        &mut self,
        about: Option<CustomerId>,
        is_retry: bool,
        now: Instant,
    ) -> Entry {
        if !is_retry && self.attribution.retries_first(now) {
            return Entry::After;
        }
        match self.attribution.gate(now) {
            Gate::Paused(_) if self.attribution.is_hopeless(now) => return Entry::Hopeless,
            Gate::Paused(until) => return Entry::Paused(until),
            Gate::Probing => return Entry::Later,
            Gate::Open if self.in_flight >= self.window => return Entry::Later,
            Gate::Open => {}
        }
        let due = self.next.unwrap_or(now);
        if now < due {
            self.bound_at = Some(now);
            return match self.attribution.stuck(now) {
                None => Entry::At(due),
                Some(_) if self.attribution.is_hopeless(now) => Entry::Hopeless,
                Some(_) => Entry::Paused(due),
            };
        }
        if now.saturating_duration_since(due) > REST {
            self.rate.rested();
        }
        // A pause is no rest.
        let due_after_pause = self.attribution.paused_until().max(Some(due));
        if due_after_pause.is_some_and(|due| now.saturating_duration_since(due) > LONG_REST) {
            self.attribution.rested(now);
        }
        if let Some(interval) = self.interval() {
            let due = due.max(now.checked_sub(CATCH_UP).unwrap_or(now));
            self.next = Some(due + interval);
        } else {
            self.next = Some(now);
        }
        self.in_flight += 1;
        self.sent += 1;
        self.attribution.sent(self.sent);
        Entry::Now(Sent {
            id: self.sent,
            at: now,
            about,
        })
    }

    /// Takes note of how a request ended.
    pub(super) fn ended(&mut self, sent: Sent, verdict: Verdict, now: Instant) {
        self.in_flight -= 1;
        self.attribution.ended(sent.id);
        match verdict {
            Verdict::Served => {
                self.attribution.served(sent.about, sent.at, now);
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
                self.attribution.served(sent.about, sent.at, now);
                self.widen();
            }
            Verdict::Refused { wish } => self.refused(sent, wish, false, now),
            // A server that has served nobody yet is more likely down than throttling: the budget
            // of retries keeps the rest away from it.
            Verdict::Doubtful if !self.attribution.has_served() => self.widen(),
            Verdict::Doubtful => self.refused(sent, None, true, now),
            Verdict::Unanswered => self.widen(),
        }
    }

    fn refused(&mut self, sent: Sent, wish: Option<Duration>, is_doubtful: bool, now: Instant) {
        let evidence = self.attribution.refused(
            Refusal {
                about: sent.about,
                sent: sent.at,
                wish,
                is_doubtful,
            },
            now,
        );
        let (lowers, certain) = match evidence {
            Evidence::One => (false, false),
            Evidence::Several => (true, false),
            Evidence::Everybody => (true, true),
        };
        self.rate.refused(now, sent.at, lowers, certain);
        if let Gate::Paused(until) = self.attribution.gate(now) {
            self.rate.paused(until.saturating_duration_since(now));
        }
        if wish.is_none() {
            self.hold(now);
        }
    }

    fn widen(&mut self) {
        self.window = (self.window + 1).min(self.max_in_flight);
    }

    /// Refused requests may be counted too, and are made up for where the server does not say when
    /// to come again.
    fn hold(&mut self, now: Instant) {
        if let Some(interval) = self.interval().filter(|_| self.rate.learned().is_some()) {
            let next = self.next.map_or(now, |next| next.max(now));
            let hold = (next + interval).min(now + MAKE_UP.max(interval));
            self.next = Some(next.max(hold));
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
