//! How many requests a second the server allows, as learned from what it serves and refuses. Pure in time.
//!
//! The search begins at a modest rate, or at that of one request after the other where answers come at once, and doubles
//! it while everything is served. From the first refusal on the rate
//! stays near what was measured: between two moments at which the server had nothing left to give, what it served is
//! what it allows. From there the rate rises slowly, more and more so when nothing is refused, until a limit that
//! was raised shows, and the search begins anew.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Where the search begins, in requests a second.
const START: f64 = 50.0;

/// No slower than this, so that an end of the refusals is noticed.
const SLOWEST: f64 = 0.2;

/// From here on nothing is paced: no limit is in sight, and the bound on requests in flight remains.
const UNPACED: f64 = 10_000.0;

/// A step of the search takes so many answers, and so long; before the first refusal so many round trips, where that is
/// shorter: the nearer the server, the sooner we know of its limit.
const STEP_ANSWERS: u32 = 5;
const STEP_TIME: Duration = Duration::from_millis(50);
const STEP_ROUND_TRIPS: f64 = 2.5;
const SHORTEST_STEP: Duration = Duration::from_millis(4);

/// No answer counts as having come sooner.
const SHORTEST_ROUND_TRIP: Duration = Duration::from_millis(1);

/// What is left of the rate after a refusal whose cause is not measured: a first hint, and a certain one.
const HINTED: f64 = 0.7;
const REPEATED: f64 = 0.5;
const CERTAIN: f64 = 0.3;

/// A measured rate is undercut by this, so that what the server is short of can come back.
const BELOW_MEASURE: f64 = 0.93;

/// Where so much of what was asked for was served, the rate was hardly too high, and goes down but a little.
const NEARLY_ALL: f64 = 0.9;
const LITTLE_BELOW: f64 = 0.94;

/// So far above the ceiling without a refusal, the limit was raised.
const RAISED: f64 = 1.45;

/// The way back to the ceiling takes this time, and this many answers.
const RECOVERY_TIME: f64 = 15.0;
const RECOVERY_ANSWERS: f64 = 150.0;

/// By this share the rate exceeds the ceiling after that time once more.
const STEEP: f64 = 0.08;

/// A measure of few answers is tried again after so many times as many.
const UNSURE: f64 = 8.0;

/// So few answers that a pause among them makes the measure doubtful.
const FEW: u32 = 20;

/// So far above the ceiling is more than its measure can be wrong.
const BEYOND: f64 = 1.08;

/// A longer time between two answers is not one in which the rate was tried.
const LONGEST_GAP: Duration = Duration::from_secs(2);

/// A measure of fewer answers says little.
const MEASURE_ANSWERS: u32 = 4;
const MEASURE_TIME: Duration = Duration::from_millis(20);

/// The latest answers that tell how fast requests were really made.
const RECENT: usize = 16;

/// A refusal so far below what was served before has another cause than the rate.
const FAR_BELOW: f64 = 0.75;
/// Refusals that are a smaller share than this may have another cause than the rate.
const SMALL_SHARE: f64 = 0.2;

/// After so many decreases in a row, to such a share of the rate, with neither many served nor many refused among the
/// answers, the rate is not the cause: then each one's first request is refused, at any rate.
const VAIN_DECREASES: u32 = 7;
const VAIN_SHARE: f64 = 0.1;

/// How long the rate is not lowered after that, unless nobody gets through.
const VAIN_TIME: Duration = Duration::from_secs(30);

/// A row of decreases ends with so many answers in a row that are no refusals.
const QUIET: u32 = 10;

/// Decreases without an effect so far.
#[derive(Debug, Clone, Copy)]
struct Row {
    /// The rate before the first.
    before: f64,
    count: u32,
    served: u32,
    refused: u32,
    /// Served since the last refusal.
    quiet: u32,
}

/// The learned rate.
#[derive(Debug)]
pub(super) struct Rate {
    row: Option<Row>,
    /// When decreases were last found to be in vain.
    vain_at: Option<Instant>,
    per_second: f64,
    phase: Phase,
    epoch: Option<Epoch>,
    decreased_at: Option<Instant>,
    /// Whether the last decrease was to a measured rate.
    measured: bool,
    recent: VecDeque<Instant>,
    fruitless: Option<Fruitless>,
    /// Served before the first refusal.
    served_first: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Doubles until something is refused.
    Search { served: u32, since: Option<Instant> },
    /// Knows what was allowed and stays near it.
    Near {
        ceiling: f64,
        /// Where the way back to the ceiling began.
        from: f64,
        /// How many seconds that way takes.
        recovery: f64,
        /// Time in which requests were really made at this rate.
        busy: Duration,
    },
}

/// The time since the server last had nothing left.
#[derive(Debug, Clone, Copy)]
struct Epoch {
    began: Instant,
    served: u32,
    refused: u32,
    /// Everybody had to wait meanwhile, so that the bucket may have run over.
    paused: bool,
}

/// Decreases in a row after each of which nearly everything was served.
#[derive(Debug, Clone, Copy)]
struct Fruitless {
    /// The highest rate that was served.
    served: f64,
    /// The rate before the first of them.
    before: f64,
}

/// What a decrease came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decrease {
    /// The rate is lower now.
    Done,
    /// The request was made before the last decrease.
    Stale,
    /// Lower rates did not help, so the rate is not the cause; it is back where it was.
    Futile,
}

impl Rate {
    pub(super) fn new() -> Self {
        Self {
            row: None,
            vain_at: None,
            per_second: START,
            phase: Phase::Search {
                served: 0,
                since: None,
            },
            epoch: None,
            decreased_at: None,
            measured: false,
            recent: VecDeque::with_capacity(RECENT),
            fruitless: None,
            served_first: 0,
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
        let pause = self
            .recent
            .back()
            .map_or(Duration::ZERO, |&last| now.saturating_duration_since(last));
        self.answered(now);
        if let Some(epoch) = &mut self.epoch {
            epoch.served += 1;
        }
        self.row = self.row.and_then(|mut row| {
            row.served += 1;
            row.quiet += 1;
            (row.quiet < QUIET).then_some(row)
        });
        if self.decreased_at.is_none() {
            self.served_first = self.served_first.saturating_add(1);
            // One request after the other, however fast, is one refusal when the limit is reached.
            let one_by_one = 1.0 / latency.max(SHORTEST_ROUND_TRIP).as_secs_f64();
            self.per_second = self.per_second.max(one_by_one);
        }
        match &mut self.phase {
            Phase::Search { served, since } => {
                *served += 1;
                let since = *since.get_or_insert(now);
                let (factor, time) = if self.decreased_at.is_some() {
                    (1.25, STEP_TIME * 10)
                } else {
                    let near = latency.mul_f64(STEP_ROUND_TRIPS);
                    (2.0, near.clamp(SHORTEST_STEP, STEP_TIME))
                };
                // What is on its way must have been answered, or the rate would run ahead of the answers.
                let time = time.max(latency.mul_f64(1.5));
                if *served >= STEP_ANSWERS && now.saturating_duration_since(since) >= time {
                    self.per_second = (self.per_second * factor).min(UNPACED);
                    self.phase = Phase::Search {
                        served: 0,
                        since: Some(now),
                    };
                }
            }
            Phase::Near {
                ceiling,
                from,
                recovery,
                busy,
            } if bound => {
                *busy += pause.min(LONGEST_GAP);
                // Fast from afar, slow near the ceiling, and faster the longer nothing is refused beyond it.
                let beyond_time = full_recovery(*ceiling).min(*recovery * UNSURE);
                let beyond = busy.as_secs_f64() - *recovery;
                self.per_second = if beyond < 0.0 {
                    *ceiling + (*ceiling - *from) * (beyond / *recovery).powi(3)
                } else {
                    *ceiling * (1.0 + STEEP * (beyond / beyond_time).powi(3))
                };
                if self.per_second > RAISED * *ceiling {
                    // The server's bucket ran over meanwhile, so that what was served is no measure.
                    self.epoch = None;
                    self.phase = Phase::Search {
                        served: 0,
                        since: Some(now),
                    };
                }
            }
            Phase::Near { .. } => {}
        }
    }

    /// Nobody asked for a while: the server's bucket ran over, and what comes now is no measure.
    pub(super) fn rested(&mut self) {
        self.epoch = None;
        self.recent.clear();
    }

    /// Everybody has to wait for a while.
    pub(super) fn paused(&mut self) {
        if let Some(epoch) = &mut self.epoch {
            epoch.paused = true;
        }
    }

    /// A request was refused that does not lower the rate.
    pub(super) fn refused(&mut self, now: Instant) {
        self.answered(now);
        if let Some(epoch) = &mut self.epoch {
            epoch.refused += 1;
        }
        if let Some(row) = &mut self.row {
            row.refused += 1;
            row.quiet = 0;
        }
    }

    /// Goes down because a request that was sent at `sent` was refused. `certain`: others were refused with it.
    pub(super) fn decrease(&mut self, now: Instant, sent: Instant, certain: bool) -> Decrease {
        self.refused(now);
        if self.decreased_at.is_some_and(|last| sent <= last) {
            return Decrease::Stale;
        }
        // What is on its way back to us was refused for the same reason, and so is whoever asks at once.
        if self.measured && self.epoch.is_some_and(|epoch| epoch.served == 0) {
            return Decrease::Stale;
        }
        if !certain {
            if self
                .vain_at
                .is_some_and(|at| now.saturating_duration_since(at) < VAIN_TIME)
            {
                return Decrease::Stale;
            }
            if let Some(before) = self.decreased_in_vain() {
                self.per_second = before;
                self.epoch = None;
                self.row = None;
                self.vain_at = Some(now);
                self.phase = Phase::Search {
                    served: 0,
                    since: Some(now),
                };
                return Decrease::Futile;
            }
        }
        // Once nobody gets through, the latest answers came one at a time.
        let real = if certain {
            self.per_second
        } else {
            self.per_second.min(self.recent_rate(now))
        };
        let real = real.min(self.modest_rate());
        let measured = self.epoch.and_then(|epoch| epoch.measure(now));
        if self.is_futile(real, measured) {
            self.per_second = self.fruitless.take().map_or(real, |it| it.before);
            self.epoch = None;
            self.phase = Phase::Search {
                served: 0,
                since: Some(now),
            };
            return Decrease::Futile;
        }
        let answers = measured.map_or(0, |(_, served)| served);
        let (ceiling, below) = match measured {
            // It took a while to come this far above what was known to be allowed, at the cost of the server's reserve.
            Some(_) if self.is_beyond(BEYOND, real) => {
                let ceiling = self.ceiling().unwrap_or(real);
                let ceiling = ceiling + (real - ceiling) / 3.0;
                (ceiling, ceiling * BELOW_MEASURE)
            }
            // Nearly everything was served, so that what was measured is how fast we asked.
            Some((rate, _)) if rate >= NEARLY_ALL * real => {
                (real.midpoint(rate), real * LITTLE_BELOW)
            }
            // The first and the last answer of an epoch may be missing or too many.
            Some((rate, served)) => {
                // Refused requests may be counted as well, so that they are part of what is allowed.
                let refused = self.epoch.map_or(1, |epoch| epoch.refused.min(served)) - 1;
                let most = 1.0 + (0.3 + f64::from(refused)) / f64::from(served);
                // In the pause that refusals led to, the bucket may have run over.
                let paused = self.epoch.is_some_and(|epoch| epoch.paused);
                let doubtful = paused && refused > 0 && served < FEW;
                let most = if doubtful { most.max(2.0) } else { most };
                (rate * most, rate * BELOW_MEASURE)
            }
            None if certain && self.decreased_at.is_none() => (real, real * CERTAIN),
            None if self.epoch.is_some() => {
                let most = self.epoch.and_then(|epoch| epoch.most(now)).unwrap_or(real);
                (most, most.min(real) * REPEATED)
            }
            None => (real, real * HINTED),
        };
        let below = below
            .clamp(CERTAIN * real, LITTLE_BELOW * real)
            .max(SLOWEST);
        let ceiling = ceiling.clamp(below, (real * 1.02).max(below));
        self.per_second = below;
        self.phase = Phase::Near {
            ceiling,
            from: below,
            recovery: recovery(ceiling, answers),
            busy: Duration::ZERO,
        };
        self.measured = measured.is_some();
        self.decreased_at = Some(now);
        self.epoch = Some(Epoch {
            began: now,
            served: 0,
            refused: 0,
            paused: false,
        });
        Decrease::Done
    }

    /// Counts a decrease. Gives the rate to go back to where so many of them have changed nothing.
    fn decreased_in_vain(&mut self) -> Option<f64> {
        let row = self.row.get_or_insert(Row {
            before: self.per_second,
            count: 0,
            served: 0,
            refused: 1,
            quiet: 0,
        });
        row.count += 1;
        let in_vain = row.count > VAIN_DECREASES
            && self.per_second < VAIN_SHARE * row.before
            && row.served * 3 >= row.refused * 2
            && row.refused * 3 >= row.served * 2;
        in_vain.then_some(row.before)
    }

    /// Whether decreases do not help: nearly everything is served, and yet something is refused far below what was
    /// served before.
    fn is_futile(&mut self, real: f64, measured: Option<(f64, u32)>) -> bool {
        let small = self.epoch.is_some_and(|epoch| {
            f64::from(epoch.refused) < SMALL_SHARE * f64::from(epoch.served + epoch.refused)
        });
        let Some((served, _)) = measured.filter(|_| small) else {
            self.fruitless = None;
            return false;
        };
        let fruitless = self.fruitless.get_or_insert(Fruitless {
            served,
            before: self.per_second,
        });
        fruitless.served = fruitless.served.max(served);
        real < FAR_BELOW * fruitless.served
    }

    fn answered(&mut self, now: Instant) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
    }

    fn ceiling(&self) -> Option<f64> {
        match self.phase {
            Phase::Near { ceiling, .. } => Some(ceiling),
            Phase::Search { .. } => None,
        }
    }

    fn is_beyond(&self, share: f64, rate: f64) -> bool {
        self.ceiling().is_some_and(|ceiling| rate > share * ceiling)
    }

    /// The rate to which a search from the modest start has come with as many answers, when the first request is refused.
    fn modest_rate(&self) -> f64 {
        if self.decreased_at.is_some() {
            return f64::INFINITY;
        }
        START * f64::from(self.served_first / STEP_ANSWERS).exp2()
    }

    fn recent_rate(&self, now: Instant) -> f64 {
        match self.recent.front() {
            Some(&first) if self.recent.len() >= STEP_ANSWERS as usize => {
                let span = now.saturating_duration_since(first).as_secs_f64();
                f64::from(u32::try_from(self.recent.len()).unwrap_or(u32::MAX)) / span.max(0.001)
            }
            _ => self.per_second,
        }
    }
}

/// Seconds for the way back to a ceiling that was measured by so many answers. The less is known, the sooner it is
/// tried again.
fn recovery(ceiling: f64, answers: u32) -> f64 {
    let little = f64::from(answers.max(2)) * UNSURE / ceiling;
    full_recovery(ceiling).min(little.max(1.0))
}

fn full_recovery(ceiling: f64) -> f64 {
    RECOVERY_TIME.max(RECOVERY_ANSWERS / ceiling)
}

impl Epoch {
    /// What a second can have been allowed at the most, where too little was served for a measure.
    fn most(self, now: Instant) -> Option<f64> {
        let time = now.saturating_duration_since(self.began);
        (self.served > self.refused && !self.paused)
            .then(|| f64::from(self.served + 1) / time.as_secs_f64().max(0.001))
    }

    /// What was served a second, and of how many answers that is known.
    fn measure(self, now: Instant) -> Option<(f64, u32)> {
        let time = now.saturating_duration_since(self.began);
        (self.served >= MEASURE_ANSWERS && time >= MEASURE_TIME)
            .then(|| (f64::from(self.served) / time.as_secs_f64(), self.served))
    }
}
