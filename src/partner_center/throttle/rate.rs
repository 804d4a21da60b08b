//! How many requests a second the server allows, as learned from what it serves and refuses. Pure
//! in time.
//!
//! The rate doubles until the first refusal. Each incident then lowers it once, to a little less
//! than what was served a second since the last incident: between two moments at which the server
//! had nothing left to give, what it served is what it allows, whatever its reserve. From there it
//! rises as TCP's CUBIC does: fast from afar, slowly near what was measured, and faster the longer
//! nothing is refused beyond it, until the search begins anew.

use std::time::Duration;

use tokio::time::Instant;

/// Where the search begins, in requests a second.
const START: f64 = 50.0;

/// No slower than this, so that an end of the refusals is noticed. Slower limits are kept by the
/// pauses that they ask for.
const SLOWEST: f64 = 1.0;

/// From here on nothing is paced: no limit is in sight, and the bound on requests in flight
/// remains.
const UNPACED: f64 = 10_000.0;

/// A step of the search takes so many answers, and this time or so many round trips, whichever is
/// shorter: the nearer the server, the sooner its limit is known.
const STEP_ANSWERS: u32 = 5;
const STEP_TIME: Duration = Duration::from_millis(50);
const STEP_ROUND_TRIPS: f64 = 2.5;

/// No answer counts as having come sooner, nor a step of the search as shorter than a few of them.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(1);

/// Fewer answers, or a shorter time, are no measure, unless they are those of a second. Single
/// refusals among others that are served may have another cause, and take longer.
const MEASURE_ANSWERS: u32 = 4;
const MEASURE_TIME: Duration = Duration::from_millis(100);
const UNCERTAIN_TIME: Duration = Duration::from_millis(500);

/// A measured rate is undercut by this share, so that what the server is short of can come back. No
/// incident leaves less of the rate than the other.
const BELOW_MEASURE: f64 = 0.07;
const LOWEST_SHARE: f64 = 0.4;

/// The way back to the measured rate takes this time and this many answers. A measure of few
/// answers is tried again sooner: after so many times as many.
const RECOVERY_TIME: f64 = 15.0;
const RECOVERY_ANSWERS: f64 = 100.0;
const UNSURE: f64 = 8.0;

/// So far above the measure without a refusal, the limit was raised.
const RAISED: f64 = 1.4;

/// A longer time without an answer is not one in which the rate was tried; the server's reserve ran
/// over in it. What was served for as long is more than a reserve.
const SECOND: Duration = Duration::from_secs(1);

/// Where most are served, and single ones are refused at less than this share of what was served
/// for a second before, customers are refused for reasons of their own, at any rate. For this time
/// single refusals do not lower it.
const FAR_BELOW: f64 = 0.45;
const VAIN_TIME: Duration = Duration::from_secs(30);

/// The learned rate.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: f64,
    phase: Phase,
    epoch: Epoch,
    answered_at: Option<Instant>,
    decreased_at: Option<Instant>,
    /// The most that was served in a second, and the rate at which that was.
    sustained: f64,
    before: f64,
    vain_until: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Doubles until something is refused.
    Search { served: u32, since: Option<Instant> },
    /// Knows what was allowed and stays near it.
    Near {
        from: f64,
        measure: f64,
        /// How many seconds the way from one to the other takes.
        recovery: f64,
        /// Time in which requests were really made at this rate.
        busy: Duration,
    },
}

/// The time since the server last had nothing left.
#[derive(Debug, Clone, Copy, Default)]
struct Epoch {
    since: Option<Instant>,
    served: u32,
    refused: u32,
    /// Those among them that say something of the rate.
    evident: u32,
    /// For how long everybody had to wait, as far as that is within the time.
    paused: Duration,
}

impl Rate {
    pub(super) fn new() -> Self {
        Self {
            per_second: START,
            phase: Phase::Search {
                served: 0,
                since: None,
            },
            epoch: Epoch::default(),
            answered_at: None,
            decreased_at: None,
            sustained: 0.0,
            before: START,
            vain_until: None,
        }
    }

    /// Requests a second; none while no limit is in sight.
    pub(super) fn per_second(&self) -> Option<f64> {
        (self.per_second < UNPACED).then_some(self.per_second)
    }

    /// What the server allows, once it has refused something.
    pub(super) fn learned(&self) -> Option<f64> {
        self.decreased_at.map(|_| self.per_second)
    }

    /// A request was served. `bound`: requests wait for this rate, so that it may rise.
    pub(super) fn served(&mut self, now: Instant, latency: Duration, bound: bool) {
        let gap = self
            .answered_at
            .replace(now)
            .map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let idle = gap.saturating_sub(SECOND);
        self.epoch.since = Some(self.epoch.since.map_or(now, |since| since + idle));
        self.epoch.served += 1;
        match &mut self.phase {
            Phase::Search { served, since } => {
                if self.decreased_at.is_none() {
                    // One request after the other, however fast, is one refusal when the limit is
                    // reached.
                    let one_by_one = 1.0 / latency.max(SHORTEST_ROUND_TRIP).as_secs_f64();
                    self.per_second = self.per_second.max(one_by_one);
                }
                *served += 1;
                let since = *since.get_or_insert(now);
                let near = latency.mul_f64(STEP_ROUND_TRIPS);
                // What is on its way must have been answered, or the rate would run ahead of the
                // answers.
                let time = near
                    .clamp(SHORTEST_ROUND_TRIP * 4, STEP_TIME)
                    .max(latency.mul_f64(1.5));
                if *served >= STEP_ANSWERS && now.saturating_duration_since(since) >= time {
                    self.per_second = (self.per_second * 2.0).min(UNPACED);
                    self.search(now);
                }
            }
            Phase::Near {
                from,
                measure,
                recovery,
                busy,
            } if bound => {
                *busy += gap.min(SECOND);
                let beyond = busy.as_secs_f64() - *recovery;
                self.per_second = if beyond < 0.0 {
                    *measure + (*measure - *from) * (beyond / *recovery).powi(3)
                } else {
                    let slowly = full_recovery(*measure).min(*recovery * UNSURE);
                    *measure * (1.0 + BELOW_MEASURE * (beyond / slowly).powi(3))
                };
                if self.per_second > RAISED * *measure {
                    // The server's reserve ran over meanwhile, so that what was served is no
                    // measure.
                    self.rested();
                    self.search(now);
                }
            }
            Phase::Near { .. } => {}
        }
    }

    /// Nobody asked for a while: the server's reserve ran over, and what comes now is no measure.
    pub(super) fn rested(&mut self) {
        self.epoch = Epoch::default();
    }

    /// Everybody has to wait for so long.
    pub(super) fn paused(&mut self, pause: Duration) {
        self.epoch.paused = (self.epoch.paused + pause).min(SECOND);
    }

    /// Takes note of a refusal of a request that was sent at `sent`, and goes down where it
    /// `lowers` the rate: it does where several are refused, and for `certain` where everybody
    /// is.
    pub(super) fn refused(&mut self, now: Instant, sent: Instant, lowers: bool, certain: bool) {
        self.epoch.refused += 1;
        self.epoch.evident += u32::from(lowers);
        // What is on its way back to us was refused for the same reason, and so is whoever asks at
        // once.
        let is_stale = self.decreased_at.is_some_and(|last| sent <= last) || self.epoch.served == 0;
        let is_vain = !certain && self.vain_until.is_some_and(|until| now < until);
        if is_stale || is_vain || !lowers {
            return;
        }
        if self.decreased_at.is_none() {
            // As modest as if the search had begun there, however near the server is.
            let doublings = f64::from(self.epoch.served / STEP_ANSWERS);
            self.per_second = self.per_second.min(START * doublings.exp2());
        }
        let time = self.epoch.time(now);
        let seconds = time.max(SHORTEST_ROUND_TRIP).as_secs_f64();
        let (served, refused) = (self.epoch.served, self.epoch.refused);
        let rate = f64::from(served) / seconds;
        if time >= SECOND && rate > self.sustained {
            self.sustained = rate;
            self.before = self.per_second;
        }
        // More refused than served are as good as everybody.
        let certain = certain || self.epoch.evident > served;
        let least = if certain {
            MEASURE_TIME
        } else {
            UNCERTAIN_TIME
        };
        let is_measure = time >= SECOND || (served >= MEASURE_ANSWERS && time >= least);
        if is_measure
            && !certain
            && self.epoch.evident <= served
            && self.per_second < FAR_BELOW * self.sustained
        {
            self.per_second = self.before;
            self.sustained = 0.0;
            self.vain_until = Some(now + VAIN_TIME);
            self.rested();
            self.search(now);
            return;
        }
        let (from, measure) = if is_measure {
            // Refused requests may be counted as well, so that they are part of what is allowed.
            let refused = f64::from(refused.saturating_sub(1).min(served * 3));
            let least = if time < SECOND { LOWEST_SHARE } else { 0.0 };
            let from =
                rate.min(self.per_second).max(least * self.per_second) * (1.0 - BELOW_MEASURE);
            // In a pause the reserve may have run over, so that it is no part of the time.
            let busy = time.saturating_sub(self.epoch.paused).max(MEASURE_TIME);
            let most = (f64::from(served) + refused) / busy.as_secs_f64();
            (from, most.min(rate * 3.0).min(self.per_second))
        } else if certain {
            (self.per_second * LOWEST_SHARE, self.per_second)
        } else {
            return;
        };
        let from = from.max(SLOWEST);
        let measure = measure.max(from);
        let few = f64::from(served.max(2)) * UNSURE / measure;
        self.per_second = from;
        self.phase = Phase::Near {
            from,
            measure,
            recovery: full_recovery(measure).min(few.max(1.0)),
            busy: Duration::ZERO,
        };
        self.decreased_at = Some(now);
        self.epoch = Epoch {
            since: Some(now),
            ..Epoch::default()
        };
    }

    fn search(&mut self, now: Instant) {
        self.phase = Phase::Search {
            served: 0,
            since: Some(now),
        };
    }
}

impl Epoch {
    fn time(&self, now: Instant) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

fn full_recovery(measure: f64) -> f64 {
    RECOVERY_TIME.max(RECOVERY_ANSWERS / measure)
}
