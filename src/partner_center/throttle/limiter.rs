//! The one gate that every request to the API passes. The limits are not published, differ, and
//! change, so that it learns them: see `rate` for how fast, `attribution` for whose limit a refusal
//! comes from, and `docs/decisions/0006-a-limiter-of-our-own.md` for why it is ours.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub(in crate::partner_center) use super::attribution::UNSURE_QUORUM;
pub(in crate::partner_center) use super::gate::Verdict;
use super::gate::{Entry, Sent, State};

use crate::ledger::CustomerId;

/// How long everybody waits for the partner's limit where calls are not retried: to wait for a
/// first attempt is no retry.
const WITHOUT_RETRIES: Duration = Duration::from_mins(2);

/// However shortly calls are retried, nobody is given up for the sake of the partner's limit before
/// this time: by then it shows that it is not a few customers, and the run ends with one reason.
const SHORTEST_PATIENCE: Duration = Duration::from_secs(5);

/// How often a request that lets others go first looks again.
const STEP_ASIDE: Duration = Duration::from_millis(50);

/// As fine as timers are.
const TICK: Duration = Duration::from_millis(1);

/// Shared by all calls; what it learned outlives a run.
#[derive(Debug)]
pub(in crate::partner_center) struct Limiter {
    state: Mutex<State>,
    /// Requests go in the order in which they came: the first of them waits for the gate, the
    /// others for it.
    turn: tokio::sync::Mutex<()>,
    /// Something ended.
    changed: Notify,
    /// In pauses a request waits so long at least.
    least: Duration,
}

/// The right to one request. Whoever drops it without a word about the answer has got none.
#[derive(Debug)]
pub(in crate::partner_center) struct Pass<'a> {
    limiter: &'a Limiter,
    sent: Option<Sent>,
}

/// The partner's limit keeps everybody waiting for longer than a call is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) struct Hopeless;

impl Limiter {
    /// `patience`: how long a call is retried.
    pub(in crate::partner_center) fn new(
        max_per_second: Option<f64>,
        max_in_flight: usize,
        patience: Duration,
    ) -> Self {
        let least = if patience.is_zero() {
            WITHOUT_RETRIES
        } else {
            Duration::ZERO
        };
        let patience = patience.max(least).max(SHORTEST_PATIENCE);
        Self {
            state: Mutex::new(State::new(max_per_second, max_in_flight, patience)),
            turn: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
            least,
        }
    }

    /// Requests a second, as learned; none while nothing was ever refused.
    pub(in crate::partner_center) fn learned(&self) -> Option<f64> {
        self.state().learned()
    }

    /// All the time so far in which everybody had to wait because the server said so.
    pub(in crate::partner_center) fn paused(&self) -> Duration {
        self.state().paused(Instant::now())
    }

    /// Whether anybody ever got through.
    pub(in crate::partner_center) fn has_served(&self) -> bool {
        self.state().has_served()
    }

    /// Whether it is known that nobody gets through at present.
    pub(in crate::partner_center) fn is_stuck(&self) -> bool {
        self.state().is_stuck(Instant::now())
    }

    /// Waits for the turn of a request about a customer, or about none. In pauses it waits for no
    /// longer than `left`, and a first attempt for a few seconds at least.
    pub(in crate::partner_center) async fn enter(
        &self,
        about: Option<CustomerId>,
        is_retry: bool,
        left: Duration,
    ) -> Result<Pass<'_>, Hopeless> {
        let least = if is_retry {
            self.least
        } else {
            self.least.max(SHORTEST_PATIENCE)
        };
        let left = left.max(least);
        let paused = self.paused();
        loop {
            let turn = self.turn.lock().await;
            match self.look(about, is_retry, left, paused).await? {
                Some(pass) => return Ok(pass),
                // Others have the turn meanwhile.
                None => drop(turn),
            }
            tokio::time::sleep(STEP_ASIDE).await;
        }
    }

    /// Waits until a request may go out; none where another is to have the turn. The caller has it.
    async fn look(
        &self,
        about: Option<CustomerId>,
        is_retry: bool,
        left: Duration,
        paused: Duration,
    ) -> Result<Option<Pass<'_>>, Hopeless> {
        loop {
            // Registered before the look, so that no change in between is missed.
            let changed = self.changed.notified();
            let now = Instant::now();
            let (entry, paused) = {
                let mut state = self.state();
                let entry = state.enter(about, is_retry, now);
                (entry, state.paused(now).saturating_sub(paused))
            };
            let again = match entry {
                Entry::Now(sent) => {
                    let sent = Some(sent);
                    return Ok(Some(Pass {
                        limiter: self,
                        sent,
                    }));
                }
                Entry::Hopeless => return Err(Hopeless),
                Entry::Paused(_) | Entry::After if paused > left => return Err(Hopeless),
                Entry::After => return Ok(None),
                Entry::Paused(until) => {
                    let end = now.checked_add(left.saturating_sub(paused).saturating_add(TICK));
                    Some(end.map_or(until, |end| until.min(end)))
                }
                Entry::At(due) => Some(due),
                Entry::Later => None,
            };
            match again {
                Some(again) => tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(again) => {}
                },
                None => changed.await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, sent: Sent, verdict: Verdict) {
        self.state().ended(sent, verdict, Instant::now());
        self.changed.notify_one();
    }
}

impl Pass<'_> {
    /// Says how the request was answered.
    pub(in crate::partner_center) fn answered(mut self, verdict: Verdict) {
        if let Some(sent) = self.sent.take() {
            self.limiter.ended(sent, verdict);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(sent) = self.sent.take() {
            self.limiter.ended(sent, Verdict::Unanswered);
        }
    }
}
