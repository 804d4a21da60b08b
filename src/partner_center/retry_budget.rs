//! How much may be retried, by all calls together: a server in trouble is not to be pushed under by our own retries.
//! Over any minute that ends now retries stay under a fifth of the calls, except that a few are always allowed, so
//! that a small run may retry at all. Also knows since when nothing succeeds any more. Pure in time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Retries stay under one in so many calls, retries included.
const CALLS_PER_RETRY: u64 = 5;

/// So many retries a minute are always allowed: the promise therefore holds from a hundred calls a minute on.
const ALWAYS: u64 = 20;

/// The same while at least a third of the calls succeed: what fails then is a few customers, not the server.
const ALWAYS_IF_ALIVE: u64 = 50;

/// What is looked at, in seconds.
const WINDOW_SECS: u64 = 60;

/// How often who waits looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Shared by all calls of a client.
#[derive(Debug)]
pub(super) struct RetryBudget {
    since: Instant,
    state: Mutex<State>,
}

/// Nothing has succeeded for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// When the first call failed after the last that did not.
    pub since: Instant,
    /// Calls that failed since.
    pub failures: u64,
    /// When the last of them failed that was made for the first time. That the others fail again says nothing new.
    pub newcomer: Instant,
}

#[derive(Debug, Default)]
struct State {
    seconds: VecDeque<Second>,
    outage: Option<Outage>,
}

/// What happened in one second.
#[derive(Debug, Default, Clone, Copy)]
struct Second {
    number: u64,
    calls: u64,
    retries: u64,
    alive: u64,
}

impl RetryBudget {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// A run begins: what was silent at the end of the one before says nothing about now.
    pub(super) fn begin(&self) {
        self.state().outage = None;
    }

    /// A request goes out.
    pub(super) fn called(&self) {
        let now = Instant::now();
        self.with_second(now, |second| second.calls += 1);
    }

    /// A request goes out again that nobody asked leave for.
    pub(super) fn repeated(&self) {
        let now = Instant::now();
        self.with_second(now, |second| second.retries += 1);
    }

    /// A call was answered in a way that no retry would change: somebody is there.
    pub(super) fn alive(&self) {
        let now = Instant::now();
        self.with_second(now, |second| second.alive += 1);
        self.state().outage = None;
    }

    /// A call failed in a way that asks for a retry.
    pub(super) fn failed(&self, is_retry: bool) {
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
    pub(super) fn turned_away(&self) {
        if let Some(outage) = &mut self.state().outage {
            outage.newcomer = Instant::now();
        }
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        self.state().outage
    }

    /// Waits until a call may be retried that was retried `before` times.
    pub(super) async fn leave(&self, before: u32) {
        while !self.take(before, Instant::now()) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes one retry, if there is one. Who was retried before has to leave half of them to those who were not, so
    /// that a few calls that fail again and again do not use up everybody's.
    fn take(&self, before: u32, now: Instant) -> bool {
        let this = now.saturating_duration_since(self.since).as_secs();
        let mut state = self.state();
        while state
            .seconds
            .front()
            .is_some_and(|second| second.number + WINDOW_SECS < this)
        {
            state.seconds.pop_front();
        }
        let sum = |of: fn(&Second) -> u64| state.seconds.iter().map(of).sum::<u64>();
        let (calls, alive) = (sum(|it| it.calls), sum(|it| it.alive));
        let share = if before == 0 { 1 } else { 2 };
        let retries = (sum(|it| it.retries) + 1) * share;
        let always = if alive * 3 >= calls {
            ALWAYS_IF_ALIVE
        } else {
            ALWAYS
        };
        let allowed = retries <= always || retries * CALLS_PER_RETRY <= calls;
        if allowed {
            Self::second(&mut state, this).retries += 1;
        }
        allowed
    }

    fn with_second(&self, now: Instant, change: impl FnOnce(&mut Second)) {
        let this = now.saturating_duration_since(self.since).as_secs();
        change(Self::second(&mut self.state(), this));
    }

    fn second(state: &mut State, number: u64) -> &mut Second {
        if state
            .seconds
            .back()
            .is_none_or(|second| second.number < number)
        {
            // As many as are looked at, also where nobody ever asks.
            if state.seconds.len() > usize::try_from(WINDOW_SECS).unwrap_or(usize::MAX) {
                state.seconds.pop_front();
            }
            state.seconds.push_back(Second {
                number,
                ..Second::default()
            });
        }
        state
            .seconds
            .back_mut()
            .expect("a second was just put in where there was none")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Takes as many retries as there are.
    fn take_all(budget: &RetryBudget, before: u32) -> u64 {
        (0..10_000)
            .take_while(|_| budget.take(before, Instant::now()))
            .count() as u64
    }

    #[tokio::test(start_paused = true)]
    async fn retries_stay_under_a_fifth_of_the_calls_of_a_minute() {
        let budget = RetryBudget::new();
        for _ in 0..400 {
            budget.called();
        }
        let first = take_all(&budget, 0);
        assert_eq!(first, 80);
        for _ in 0..first {
            budget.called();
        }
        // Retries are calls, and so earn further ones, but never a fifth of all.
        let mut retries = first;
        loop {
            let more = take_all(&budget, 0);
            (0..more).for_each(|_| budget.called());
            retries += more;
            assert!(retries * 5 <= 400 + retries);
            if more == 0 {
                break;
            }
        }
        tokio::time::advance(seconds(59)).await;
        assert_eq!(take_all(&budget, 0), 0);
        tokio::time::advance(seconds(2)).await;
        assert_eq!(take_all(&budget, 0), ALWAYS_IF_ALIVE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_are_always_allowed_and_more_while_others_succeed() {
        let budget = RetryBudget::new();
        for _ in 0..30 {
            budget.called();
        }
        assert_eq!(take_all(&budget, 0), ALWAYS);
        for _ in 0..10 {
            budget.alive();
        }
        assert_eq!(take_all(&budget, 0), ALWAYS_IF_ALIVE - ALWAYS);
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_retried_before_leaves_half_to_the_others() {
        let budget = RetryBudget::new();
        for _ in 0..1_000 {
            budget.called();
        }
        assert_eq!(take_all(&budget, 1), 100);
        assert_eq!(take_all(&budget, 0), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_nothing_waits_until_there_is_something() {
        let budget = RetryBudget::new();
        budget.called();
        let began = Instant::now();
        assert_eq!(take_all(&budget, 0), ALWAYS);
        budget.leave(0).await;
        assert!((60..=62).contains(&began.elapsed().as_secs()));
        assert_eq!(take_all(&budget, 0), ALWAYS_IF_ALIVE - 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_lasts_from_the_first_failure_to_the_next_sign_of_life() {
        let budget = RetryBudget::new();
        assert_eq!(budget.outage(), None);
        let since = Instant::now();
        budget.failed(false);
        tokio::time::advance(seconds(7)).await;
        budget.failed(true);
        let outage = |failures, newcomer| Outage {
            since,
            failures,
            newcomer,
        };
        assert_eq!(budget.outage(), Some(outage(2, since)));
        budget.failed(false);
        assert_eq!(budget.outage(), Some(outage(3, Instant::now())));
        budget.begin();
        assert_eq!(budget.outage(), None);
        budget.failed(false);
        budget.alive();
        assert_eq!(budget.outage(), None);
    }
}
