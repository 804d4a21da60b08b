//! Which request may go out when: the learned rate, the configured bound and the pauses, put
//! together. Reads no clock: the time is an argument.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio::time::Instant;

use super::attribution::{Attribution, Passage, Refusal, RefusedByScope};
use super::events::Events;
use super::rate::Rate;
use super::{BURST, SHORT_PAUSE};
use crate::ledger::CustomerId;

/// How late the pacing may run and still catch up: timers are no finer than a millisecond, and a
/// busy machine is late. Without it, a learned rate is not reached.
const CATCH_UP: Duration = Duration::from_millis(8);

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Reply {
    /// With a status that shows that the rate limit let the request through.
    Served,
    /// With an error of the server's: 408, or 5xx that is not a limit.
    ServerError,
    /// By a limit, with the wait that the server asks for.
    RateLimited { retry_after: Option<Duration> },
    /// With 503 and no requested wait: a proxy's limit, or a server in trouble.
    Unavailable,
    /// Not at all.
    Missing,
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct SentRequest {
    id: u64,
    at: Instant,
    customer: Option<CustomerId>,
    /// It waited for the learned rate.
    paced: bool,
}

/// Whether a request may go out.
#[derive(Debug)]
pub(super) enum Decision {
    /// It goes out now.
    Send(SentRequest),
    /// Ask again at this time, or when a reply comes.
    WaitUntil(Instant),
    /// As `WaitUntil`, but every call waits for the tenant's limit.
    PausedUntil(Instant),
    /// Retries go before this first attempt.
    RetriesFirst,
    /// Ask again when a reply comes.
    WaitForReply,
    /// The tenant's limit has let no call through for longer than any call is retried.
    GiveUp,
}

/// What the throttle does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ThrottleStatus {
    /// Requests a second, by the learned rate and the configured bound; none without either.
    pub allowed_per_second: Option<f64>,
    /// Requests under way.
    pub in_flight: usize,
    /// When the present pause ends. It may be followed by another.
    pub paused_until: Option<DateTime<Utc>>,
    /// Seconds in which the tenant's limit let no call through, since the program began.
    pub paused_seconds: f64,
    /// Refused requests since the program began.
    pub refused: RefusedByScope,
}

#[derive(Debug)]
pub(super) struct Gate {
    /// The configured bound, in requests a second.
    max_per_second: Option<f64>,
    in_flight: usize,
    sent: u64,
    /// When the next request is due.
    next: Option<Instant>,
    rate: Rate,
    attribution: Attribution,
    events: Events,
}

impl Gate {
    pub(super) fn new(max_per_second: Option<f64>, patience: Duration) -> Self {
        Self {
            max_per_second,
            in_flight: 0,
            sent: 0,
            next: None,
            rate: Rate::new(),
            attribution: Attribution::new(patience),
            events: Events::default(),
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

    /// `wall_clock`: the time of day at `now`.
    pub(super) fn snapshot(&self, now: Instant, wall_clock: DateTime<Utc>) -> ThrottleStatus {
        let learned = self.rate.learned().and(self.rate.per_second());
        ThrottleStatus {
            allowed_per_second: lower(learned, self.max_per_second),
            in_flight: self.in_flight,
            paused_until: self
                .pause_left(now)
                .and_then(|left| wall_clock.checked_add_signed(TimeDelta::from_std(left).ok()?)),
            paused_seconds: self.paused(now).as_secs_f64(),
            refused: self.attribution.refused_so_far(),
        }
    }

    fn pause_left(&self, now: Instant) -> Option<Duration> {
        match self.attribution.passage(now) {
            Passage::Paused(until) => Some(until.saturating_duration_since(now)),
            Passage::Open | Passage::Probing => None,
        }
    }

    /// Asks for a request to be sent now.
    pub(super) fn try_acquire(
        &mut self,
        customer: Option<CustomerId>,
        is_retry: bool,
        now: Instant,
    ) -> Decision {
        if !is_retry && self.attribution.retries_first(now) {
            return Decision::RetriesFirst;
        }
        match self.attribution.passage(now) {
            Passage::Paused(_) if self.attribution.is_hopeless(now) => return Decision::GiveUp,
            Passage::Paused(until) => return Decision::PausedUntil(until),
            Passage::Probing => return Decision::WaitForReply,
            Passage::Open => {}
        }
        let due = self.next.unwrap_or(now);
        if now < due {
            return match self.attribution.stuck(now) {
                None => Decision::WaitUntil(due),
                Some(_) if self.attribution.is_hopeless(now) => Decision::GiveUp,
                Some(_) => Decision::PausedUntil(due),
            };
        }
        let late = now.saturating_duration_since(due);
        if late > BURST {
            self.rate.rested();
        }
        // The time of a pause is not idle time.
        let awaited = self.attribution.paused_until().max(Some(due));
        if awaited.is_some_and(|due| now.saturating_duration_since(due) > SHORT_PAUSE) {
            self.attribution.rested(now);
        }
        let learned = self.rate.per_second();
        let paced = late <= CATCH_UP
            && learned.is_some_and(|rate| self.max_per_second.is_none_or(|max| rate < max));
        let due = due.max(now.checked_sub(CATCH_UP).unwrap_or(now));
        self.next = Some(self.interval().map_or(now, |interval| due + interval));
        self.in_flight += 1;
        self.sent += 1;
        self.attribution.sent(self.sent);
        Decision::Send(SentRequest {
            id: self.sent,
            at: now,
            customer,
            paced,
        })
    }

    /// A request ended.
    pub(super) fn complete(&mut self, request: SentRequest, reply: Reply, now: Instant) {
        let (pace, pause) = (self.rate.learned(), self.attribution.stuck(now));
        self.in_flight -= 1;
        self.attribution.ended(request.id);
        match reply {
            Reply::Served => {
                self.attribution.served(request.customer, request.at, now);
                self.rate.served(now, request.at, request.paced);
            }
            Reply::ServerError => self.attribution.served(request.customer, request.at, now),
            Reply::RateLimited { retry_after } => self.refused(request, retry_after, false, now),
            // A server that has not served any request yet is more likely down than throttling,
            // which is for the retry budget to handle.
            Reply::Unavailable if !self.attribution.has_served() => {}
            Reply::Unavailable => self.refused(request, None, true, now),
            Reply::Missing => {}
        }
        self.events.rate(now, pace, self.rate.learned());
        let left = self.pause_left(now);
        self.events
            .pause(now, pause, self.attribution.stuck(now), left);
    }

    fn refused(
        &mut self,
        request: SentRequest,
        retry_after: Option<Duration>,
        may_be_fault: bool,
        now: Instant,
    ) {
        let refusal = Refusal {
            customer: request.customer,
            sent: request.at,
            retry_after,
            may_be_fault,
        };
        let scope = self.attribution.refused(refusal, now);
        self.rate.refused(now, request.at, scope);
        // The limit may count refused requests too. If no wait was requested, the next request is
        // therefore put off by one interval for each.
        if let Some(interval) = self.interval()
            && self.rate.learned().is_some()
            && retry_after.is_none()
        {
            let next = self.next.map_or(now, |next| next.max(now));
            self.next = Some(next.max((next + interval).min(now + BURST.max(interval))));
        }
    }

    /// Time between two requests.
    fn interval(&self) -> Option<Duration> {
        let rate = lower(self.rate.per_second(), self.max_per_second)?;
        Some(Duration::from_secs_f64(1.0 / rate))
    }
}

/// The lower of two rates, of which each may be missing.
fn lower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    [one, other].into_iter().flatten().min_by(f64::total_cmp)
}
