//! How much may be retried, by all calls together: a server in trouble is not to be pushed under by
//! our own retries. While nobody is answered, retries stay under a sixth of the calls, except that
//! a few are always allowed, so that a small run may retry at all, and one now and then, so that
//! the end of the trouble is noticed. Each answer makes up for some, so that the way back is short.
//! Also knows since when nothing succeeds any more. Pure in time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Retries that are not made up for stay under one in so many calls, retries included.
const CALLS_PER_RETRY: u64 = 6;

/// So many are always allowed, and more shortly after a call was answered: what fails then is a few
/// customers. The promise of a fifth therefore holds from a hundred calls on where nobody was ever
/// answered, and from 250 on otherwise.
const ALWAYS: u64 = 20;
const ALWAYS_IF_ALIVE: u64 = 50;
const ALIVE: Duration = Duration::from_secs(10);

/// A call that is answered makes up for half of them and for so many more. Where a third of the
/// calls are, it is a few customers that fail and not the server, and all of them are retried.
const MADE_UP: u64 = 3;

/// One is allowed whenever nothing was retried for this share of the time for which nobody has been
/// answered, and for no less than this time.
const SILENT_SHARE: u32 = 3;
const SHORTEST_SILENCE: Duration = Duration::from_secs(5);

/// Shared by all calls of a run.
#[derive(Debug, Default)]
pub(in crate::partner_center) struct RetryBudget {
    /// Calls that are being made, those that wait included, and the most that there were.
    calls: AtomicUsize,
    most_calls: AtomicUsize,
    state: Mutex<State>,
}

/// Nothing has succeeded for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the first call failed after the last that did not.
    pub since: Instant,
    /// Calls that failed since.
    pub failures: u64,
    /// When the last of them failed that was made for the first time. That the others fail again
    /// says nothing new.
    pub newcomer: Instant,
}

/// Where a retry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Claim {
    /// It has waited as it was told to: it costs nothing.
    Told,
    /// It was refused by a limit and has waited, or somebody has to find out whether anybody gets
    /// through: it is counted and not denied.
    Free,
    /// Calls that were not made yet can find that out, so that it has no more than its share.
    Share,
    /// The n-th retry of a call, counted from nought. From the second on it has to leave half to
    /// the first ones, so that a few calls that fail again and again do not use up everybody's.
    Retry(u32),
}

#[derive(Debug, Default)]
struct State {
    /// Calls and retries since there was last no retry to be made up for.
    calls: u64,
    retries: u64,
    retried_at: Option<Instant>,
    answered_at: Option<Instant>,
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

    /// The most calls that were being made at a time.
    pub(super) fn most_calls(&self) -> usize {
        self.most_calls.load(Ordering::Relaxed)
    }

    /// A request goes out.
    pub(in crate::partner_center) fn called(&self) {
        self.state().calls += 1;
    }

    /// A request goes out again that nobody asked leave for.
    pub(in crate::partner_center) fn repeated(&self) {
        self.state().retries += 1;
    }

    /// A call was answered in a way that no retry would change: somebody is there.
    pub(in crate::partner_center) fn alive(&self) {
        let mut state = self.state();
        state.outage = None;
        state.answered_at = Some(Instant::now());
        state.retries = (state.retries / 2).saturating_sub(MADE_UP);
        if state.retries == 0 {
            state.calls = 0;
        }
    }

    /// A call failed in a way that asks for a retry.
    pub(in crate::partner_center) fn failed(&self, is_retry: bool) {
        let now = Instant::now();
        let mut state = self.state();
        let outage = state.outage.get_or_insert(Outage {
            since: now,
            failures: 0,
            newcomer: now,
        });
        outage.failures += 1;
        if !is_retry {
            outage.newcomer = now;
        }
    }

    /// A call was given up before it was made, because nobody's is let through.
    pub(in crate::partner_center) fn turned_away(&self) {
        if let Some(outage) = &mut self.state().outage {
            outage.newcomer = Instant::now();
        }
    }

    pub(in crate::partner_center) fn outage(&self) -> Option<Outage> {
        self.state().outage
    }

    /// Takes one retry, if there is one.
    pub(in crate::partner_center) fn take(&self, claim: Claim) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        let next = state.retries + 1;
        let allowed = match claim {
            Claim::Told => return true,
            // Not to be made up for for ever once somebody is answered again.
            Claim::Free if state.retries >= ALWAYS => return true,
            Claim::Free => true,
            Claim::Share => next * CALLS_PER_RETRY <= state.calls,
            Claim::Retry(before) => {
                let next = if before == 0 { next } else { next * 2 };
                next <= state.always(now)
                    || next * CALLS_PER_RETRY <= state.calls
                    || state.is_overdue(now)
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
    fn always(&self, now: Instant) -> u64 {
        let is_alive = self
            .answered_at
            .is_some_and(|at| now.saturating_duration_since(at) < ALIVE);
        if is_alive { ALWAYS_IF_ALIVE } else { ALWAYS }
    }

    fn is_overdue(&self, now: Instant) -> bool {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let silent = since(self.outage.map(|outage| outage.since)).unwrap_or_default();
        let least = SHORTEST_SILENCE.max(silent / SILENT_SHARE);
        since(self.retried_at).is_none_or(|passed| passed >= least)
    }
}

/// A call that is counted.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many retries as there are.
    fn take_all(budget: &RetryBudget, claim: Claim) -> u64 {
        (0..10_000).take_while(|_| budget.take(claim)).count() as u64
    }

    fn called(calls: usize) -> RetryBudget {
        let budget = RetryBudget::default();
        for _ in 0..calls {
            budget.called();
            budget.failed(false);
        }
        budget
    }

    #[tokio::test(start_paused = true)]
    async fn retries_stay_under_a_fifth_of_the_calls_where_everything_fails() {
        for calls in [100, 264, 6_000] {
            let budget = called(calls);
            let (mut retries, began) = (0, Instant::now());
            while began.elapsed() < Duration::from_mins(15) {
                for _ in 0..take_all(&budget, Claim::Retry(0)) {
                    budget.called();
                    budget.failed(true);
                    retries += 1;
                }
                tokio::time::advance(Duration::from_millis(500)).await;
            }
            // Found out more than a dozen times that nobody is there.
            let all = calls as u64 + retries;
            assert!(retries * 4 < all && retries >= 20, "{retries} of {all}");
            if calls > 200 {
                assert!(retries * 5 < all, "{retries} of {all}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_an_outage_is_noticed_and_everybody_is_retried_at_once() {
        for secs in [2, 30, 300] {
            let budget = called(264);
            while take_all(&budget, Claim::Retry(0)) > 0 {}
            let began = Instant::now();
            tokio::time::advance(Duration::from_secs(secs)).await;
            while !budget.take(Claim::Retry(3)) {
                tokio::time::advance(Duration::from_millis(100)).await;
            }
            let took = began.elapsed().as_secs();
            assert!(took <= 5 + secs * 4 / 3, "{took} s after {secs}");
            budget.alive();
            // Each that is answered lets others through.
            let (mut waiting, mut rounds) = (264, 0);
            while waiting > 0 {
                let some = take_all(&budget, Claim::Retry(3)).min(waiting);
                (0..some).for_each(|_| budget.alive());
                waiting -= some;
                rounds += 1;
                if some == 0 {
                    tokio::time::advance(Duration::from_secs(5)).await;
                }
            }
            assert!(rounds < 100, "{rounds}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_retried_where_a_third_of_the_calls_are_answered() {
        let budget = called(0);
        for call in 0..3_000 {
            assert!(call % 3 == 0 || budget.take(Claim::Retry(0)), "{call}");
            budget.called();
            if call % 3 == 0 {
                budget.alive();
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_retried_before_leaves_half_to_the_others() {
        let budget = called(1_200);
        assert!(budget.take(Claim::Retry(0)));
        assert_eq!(take_all(&budget, Claim::Retry(1)), 99);
        assert_eq!(take_all(&budget, Claim::Retry(0)), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_the_server_asked_for_is_paid_for() {
        let budget = called(3);
        assert_eq!(take_all(&budget, Claim::Retry(0)), ALWAYS);
        assert_eq!(take_all(&budget, Claim::Told), 10_000);
        assert!(!budget.take(Claim::Share));
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_the_first_failure_to_the_next_sign_of_life() {
        let budget = RetryBudget::default();
        assert_eq!(budget.outage(), None);
        let since = Instant::now();
        budget.failed(false);
        tokio::time::advance(Duration::from_secs(7)).await;
        budget.failed(true);
        let outage = |failures, newcomer| Outage {
            since,
            failures,
            newcomer,
        };
        assert_eq!(budget.outage(), Some(outage(2, since)));
        budget.failed(false);
        assert_eq!(budget.outage(), Some(outage(3, Instant::now())));
        budget.alive();
        assert_eq!(budget.outage(), None);
    }
}
