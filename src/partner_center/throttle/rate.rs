//! How many requests a second the server allows, learned from what it serves and refuses. Reads no
//! clock: the time is an argument.
//!
//! Slow start doubles the rate each round trip until the first refusal. Each incident then lowers
//! it once (multiplicative decrease), to a little less than what was served a second since the
//! incident before: the server's token bucket was empty at both, so what it served in between is
//! what it allows, whatever its burst. From there the rate follows CUBIC: fast far from the
//! measured rate, slowly near it, faster again beyond it. Far beyond it slow start resumes, once a
//! second.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;

use super::BURST;
use super::attribution::{Evidence, Scope};

/// Where slow start begins, in requests a second. A lower start would cost a run against a distant
/// server seconds.
const START: f64 = 50.0;

/// The lowest rate, in requests a second: below it the end of a limit would be noticed late.
const SLOWEST: f64 = 1.0;

/// From this rate on, in requests a second, nothing is paced: no limit is in sight. Without it,
/// slow start would double for ever.
const UNPACED: f64 = 10_000.0;

/// Slow start doubles after this many answers at the earliest. With fewer it overshoots a limit of
/// 5 a second too far.
const ROUND_ANSWERS: u32 = 5;

/// The share of the measured rate that a decrease leaves, so that the server's bucket refills.
const DECREASE: f64 = 0.93;

/// The longest time in which the rate returns to the measured one. If it were shorter, small limits
/// would be hit too often.
const RECOVERY: Duration = Duration::from_secs(15);

/// A rate that was measured in a short time is tried again after this many times that time.
/// Without it, small bursts and refused calls that count leave a limit half unused.
const RECOVERY_FACTOR: u32 = 8;

/// At this many times the measured rate without a refusal, the limit must have been raised.
const RAISED: f64 = 1.4;

/// The learned rate.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    growth: Growth,
    /// Since the last decrease.
    epoch: Epoch,
    answered_at: Option<Instant>,
    decreased_at: Option<Instant>,
    /// The highest rate, in requests a second, that was measured over at least `BURST`. A refusal
    /// that is certainly the tenant's resets it to what was measured then.
    sustained: f64,
    /// Until this time, single refusals do not lower the rate.
    immune_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Growth {
    SlowStart {
        answers: u32,
        since: Option<Instant>,
    },
    Cubic {
        from: f64,
        measured: f64,
        recovery: Duration,
        /// Time in which requests waited for this rate.
        paced: Duration,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Epoch {
    since: Option<Instant>,
    served: u32,
    refused: u32,
}

impl Rate {
    pub(super) fn new() -> Self {
        Self {
            per_second: START,
            growth: Growth::SlowStart {
                answers: 0,
                since: None,
            },
            epoch: Epoch::default(),
            answered_at: None,
            decreased_at: None,
            sustained: 0.0,
            immune_until: None,
        }
    }

    /// Requests a second; none while no limit is in sight.
    pub(super) fn per_second(&self) -> Option<f64> {
        (self.per_second < UNPACED).then_some(self.per_second)
    }

    /// What the server allows; none before its first refusal.
    pub(super) fn learned(&self) -> Option<f64> {
        self.decreased_at.map(|_| self.per_second)
    }

    /// A request sent at `sent` was served. The rate rises only where requests are `paced` by it.
    pub(super) fn served(&mut self, now: Instant, sent: Instant, paced: bool) {
        let gap = now.saturating_duration_since(self.answered_at.replace(now).unwrap_or(now));
        let idle = gap.saturating_sub(BURST);
        self.epoch.since = Some(self.epoch.since.map_or(sent, |since| since + idle));
        self.epoch.served += 1;
        match &mut self.growth {
            Growth::SlowStart { answers, since } => {
                *answers += 1;
                let round = if self.decreased_at.is_some() {
                    BURST
                } else {
                    // Requests that wait for each other's answers need no pacing: reaching the
                    // limit costs them one refusal.
                    let round_trip = now.saturating_duration_since(sent).as_secs_f64();
                    self.per_second = self.per_second.max(1.0 / round_trip.max(0.001));
                    Duration::ZERO
                };
                let is_over = since.is_none_or(|since| sent >= since && now >= since + round);
                if *answers >= ROUND_ANSWERS && is_over {
                    self.per_second = (self.per_second * 2.0).min(UNPACED);
                    (*answers, *since) = (0, Some(now));
                }
            }
            Growth::Cubic {
                from,
                measured,
                recovery,
                paced: time,
            } if paced => {
                *time += gap.min(BURST);
                let beyond = time.as_secs_f64() / recovery.as_secs_f64() - 1.0;
                self.per_second = *measured + (*measured - *from) * beyond.powi(3);
                if self.per_second > RAISED * *measured {
                    self.slow_start(now);
                }
            }
            Growth::Cubic { .. } => {}
        }
    }

    /// After idle time the server's bucket is full, and what it serves next does not measure the
    /// rate.
    pub(super) fn rested(&mut self) {
        self.epoch = Epoch::default();
    }

    /// A request that was sent at `sent` was refused. Lowers the rate at most once an incident.
    pub(super) fn refused(&mut self, now: Instant, sent: Instant, scope: Scope) {
        let Scope::Tenant(evidence) = scope else {
            return;
        };
        self.epoch.refused += 1;
        // Requests that were under way at the last decrease are refused for the same reason.
        if self.decreased_at.is_some_and(|last| sent <= last) || self.epoch.served == 0 {
            return;
        }
        let time = now.saturating_duration_since(self.epoch.since.unwrap_or(now));
        let is_certain = evidence == Evidence::Quorum || self.epoch.refused * 2 > self.epoch.served;
        if !is_certain && (time < BURST || self.immune_until.is_some_and(|until| now < until)) {
            return;
        }
        let served = f64::from(self.epoch.served) / time.as_secs_f64().max(0.001);
        let measured = served.min(self.per_second).max(SLOWEST / DECREASE);
        if time >= BURST && (is_certain || measured > self.sustained) {
            self.sustained = measured;
        }
        if !is_certain && self.per_second < self.sustained / 2.0 {
            // Refusals at less than half of the rate that was served before come from customers'
            // own limits.
            self.per_second = std::mem::take(&mut self.sustained);
            self.immune_until = Some(now + RECOVERY);
            self.slow_start(now);
            return;
        }
        self.per_second = DECREASE * measured;
        self.growth = Growth::Cubic {
            from: self.per_second,
            measured,
            recovery: (time * RECOVERY_FACTOR).clamp(BURST, RECOVERY),
            paced: Duration::ZERO,
        };
        self.decreased_at = Some(now);
        self.rested();
        self.epoch.since = Some(now);
    }

    fn slow_start(&mut self, now: Instant) {
        self.rested();
        self.growth = Growth::SlowStart {
            answers: 0,
            since: Some(now),
        };
    }
}
