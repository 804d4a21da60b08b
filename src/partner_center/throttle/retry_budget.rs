//! How many retries all calls of a session may make together, so that they do not overload a server
//! in trouble. Since the last answer, at most a sixth of the requests are retries, with two
//! exceptions: a few are always allowed, so that a small run can retry at all, and one is allowed
//! now and then, so that the end of the trouble is noticed. Also records since when no call has
//! succeeded.
//!
//! `tower`'s budget does not fit: it forgets after a minute at the most, and what it always allows
//! is at least one retry a second, for as long as an outage lasts.

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{PROBE_SHARE, SHORT_PAUSE};

/// Since the last answer, at most one request in this many is a retry.
const CALLS_PER_RETRY: u64 = 6;

/// Retries that are always allowed; without them a small run could not retry at all. Where
/// everything fails, retries are under a fifth of the calls from a hundred calls on.
const ALWAYS: u64 = 20;

/// Shared by all calls of a session.
#[derive(Debug, Default)]
pub(in crate::partner_center) struct RetryBudget {
    /// Calls under way, those that wait included.
    calls: AtomicUsize,
    /// The most calls that were under way at a time.
    most_calls: AtomicUsize,
    state: Mutex<State>,
}

/// Nothing has succeeded for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the first attempt failed since the last success.
    pub since: Instant,
    /// Attempts that failed since.
    pub failures: u64,
    /// When a first attempt last failed. That retries fail again says nothing new.
    pub first_attempt_at: Instant,
}

/// What a retry may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nothing: it has waited as the server told it to, or is the only one that can find out
    /// whether calls are served again.
    Free,
    /// No more than the share of one in `CALLS_PER_RETRY`: first attempts can find out whether
    /// calls are served again.
    Share,
    /// The n-th retry of a call, counted from zero. From the second on it leaves half of the budget
    /// to first ones, so that a few calls that always fail do not use it up.
    Retry(u32),
}

/// Requests and retries since the last answer.
#[derive(Debug, Default)]
struct State {
    calls: u64,
    retries: u64,
    retried_at: Option<Instant>,
    outage: Option<Outage>,
}

impl RetryBudget {
    /// Counts a call for as long as it is being made.
    pub(in crate::partner_center) fn begin_call(&self) -> impl Drop + use<'_> {
        let counted = Counted::one_of(&self.calls);
        let calls = self.calls.load(Ordering::Relaxed);
        self.most_calls.fetch_max(calls, Ordering::Relaxed);
        counted
    }

    /// The most calls that were under way at a time.
    pub(super) fn most_calls(&self) -> usize {
        self.most_calls.load(Ordering::Relaxed)
    }

    /// A request goes out.
    pub(in crate::partner_center) fn request_sent(&self) {
        self.state().calls += 1;
    }

    /// A request is sent again for which no retry was acquired.
    pub(in crate::partner_center) fn repeated(&self) {
        self.state().retries += 1;
    }

    /// A call was answered in a way that no retry would change.
    pub(in crate::partner_center) fn answered(&self) {
        let mut state = self.state();
        state.outage = None;
        state.calls = 0;
        state.retries = 0;
    }

    /// An attempt failed in a way that asks for a retry.
    pub(in crate::partner_center) fn failed(&self, is_retry: bool) {
        let now = Instant::now();
        let mut state = self.state();
        let outage = state.outage.get_or_insert(Outage {
            since: now,
            failures: 0,
            first_attempt_at: now,
        });
        outage.failures += 1;
        if !is_retry {
            outage.first_attempt_at = now;
        }
    }

    /// A call was given up before its first attempt, because no call is let through.
    pub(in crate::partner_center) fn gave_up_in_queue(&self) {
        if let Some(outage) = &mut self.state().outage {
            outage.first_attempt_at = Instant::now();
        }
    }

    pub(in crate::partner_center) fn outage(&self) -> Option<Outage> {
        self.state().outage
    }

    /// Takes one retry, if the budget allows one.
    pub(super) fn try_acquire(&self, claim: Claim) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let next = state.retries + 1;
        let allowed = match claim {
            Claim::Free => return true,
            Claim::Share => next * CALLS_PER_RETRY <= state.calls,
            Claim::Retry(before) => {
                let next = if before == 0 { next } else { next * 2 };
                next <= ALWAYS || next * CALLS_PER_RETRY <= state.calls || state.is_overdue(now)
            }
        };
        if allowed {
            state.retries = next;
            state.retried_at = Some(now);
        }
        allowed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether nothing was retried for so long that the end of an outage may have been missed.
    fn is_overdue(&self, now: Instant) -> bool {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let silent = since(self.outage.map(|outage| outage.since)).unwrap_or_default();
        let least = SHORT_PAUSE.max(silent / PROBE_SHARE);
        since(self.retried_at).is_none_or(|passed| passed >= least)
    }
}

/// Adds one to a counter for as long as it lives.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    pub(super) fn one_of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
