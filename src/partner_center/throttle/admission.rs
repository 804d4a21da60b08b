//! What a call waits for before each attempt: leave to retry, a place among the requests in flight,
//! and the limiter. Knows no HTTP, so that its tests play minutes in milliseconds.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::ledger::CustomerId;
use crate::partner_center::throttle::limiter::{Hopeless, Limiter, Pass, UNSURE_QUORUM};
use crate::partner_center::throttle::retry_budget::{Claim, Counted, RetryBudget};
use crate::retry::Attempts;

/// How often a call that waits for leave to retry looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The one door that all calls of a client go through.
#[derive(Debug)]
pub(in crate::partner_center) struct Admission {
    in_flight: Arc<Semaphore>,
    /// One call at a time that was not made yet queues for a place among them, so that retries do
    /// not wait behind all.
    first_attempts: Semaphore,
    /// Calls that were not made yet and wait for their turn.
    newcomers: AtomicUsize,
    pub(in crate::partner_center) limiter: Limiter,
}

/// A call that is made again.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Retry {
    /// How often it was made again before.
    pub(in crate::partner_center) before: u32,
    /// How its last attempt ended.
    pub(in crate::partner_center) after: After,
}

/// How a failed attempt is to be followed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum After {
    /// The server asked for a wait, which is over.
    Told,
    /// A limit without a word on how long it lasts.
    Limit,
    /// 503 without such a word: a limit, or trouble.
    Doubtful,
    /// Trouble.
    Trouble,
}

/// There is no time left for a call to be made.
#[derive(Debug)]
pub(in crate::partner_center) struct TimeUp;

impl Admission {
    /// `patience`: how long a call is retried.
    pub(in crate::partner_center) fn new(
        max_per_second: Option<f64>,
        max_in_flight: usize,
        patience: Duration,
    ) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(max_in_flight)),
            first_attempts: Semaphore::new(1),
            newcomers: AtomicUsize::new(0),
            limiter: Limiter::new(max_per_second, max_in_flight, patience),
        }
    }

    /// Waits for the turn of a call, about a customer or about none.
    pub(in crate::partner_center) async fn turn(
        &self,
        budget: &RetryBudget,
        about: Option<CustomerId>,
        attempts: &mut Attempts<'_>,
        retry: Option<Retry>,
    ) -> Result<(OwnedSemaphorePermit, Pass<'_>), TimeUp> {
        if let Some(retry) = retry {
            self.leave_to_retry(budget, attempts, retry).await?;
        }
        self.admit(about, attempts, retry.is_some()).await
    }

    /// Waits until the budget that all calls share allows a retry.
    async fn leave_to_retry(
        &self,
        budget: &RetryBudget,
        attempts: &Attempts<'_>,
        retry: Retry,
    ) -> Result<(), TimeUp> {
        let leave = async {
            while !budget.take(self.claim(budget, retry)) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(attempts.left(), leave)
            .await
            .map_err(|_| TimeUp)
    }

    /// A call that has waited as it was told to is denied nothing. While nobody gets through, the
    /// limiter lets one request at a time find out whether that is over; unless it was told
    /// when to come, it had better be one that was not made before, for what is asked again and
    /// again is a burden.
    fn claim(&self, budget: &RetryBudget, retry: Retry) -> Claim {
        let has_newcomers = self.newcomers.load(Ordering::Relaxed) > 0;
        // Too few for it to show that nobody gets through: each goes by its own waits.
        let are_few = budget.most_calls() <= UNSURE_QUORUM;
        let is_stuck = self.limiter.is_stuck();
        match retry.after {
            After::Told => Claim::Told,
            After::Limit | After::Doubtful if are_few && !has_newcomers => Claim::Free,
            After::Limit if is_stuck && !has_newcomers => Claim::Free,
            After::Limit | After::Doubtful | After::Trouble if is_stuck && has_newcomers => {
                Claim::Share
            }
            After::Limit if has_newcomers && !self.limiter.has_served() => Claim::Share,
            After::Limit | After::Doubtful | After::Trouble => Claim::Retry(retry.before),
        }
    }

    /// Waits for a place among the requests in flight, and for the turn.
    async fn admit(
        &self,
        about: Option<CustomerId>,
        attempts: &mut Attempts<'_>,
        is_retry: bool,
    ) -> Result<(OwnedSemaphorePermit, Pass<'_>), TimeUp> {
        let (queued, paused) = (Instant::now(), self.limiter.paused());
        // Held until the turn has come. Where many are new, who was refused and has waited as told
        // would come after all of them, each of whom may be refused as well.
        let _first = if is_retry {
            None
        } else {
            let newcomer = Counted::one_of(&self.newcomers);
            let first = self.first_attempts.acquire().await;
            Some((first.expect("the semaphore is never closed"), newcomer))
        };
        let permit = Arc::clone(&self.in_flight)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let held = self.limiter.paused().saturating_sub(paused);
        let left = attempts
            .left()
            .saturating_add(queued.elapsed())
            .saturating_sub(held);
        let entered = self.limiter.enter(about, is_retry, left).await;
        // The queue is our own, but a wait that the server asks of everybody is not.
        let held = self.limiter.paused().saturating_sub(paused);
        attempts.discount(queued.elapsed().saturating_sub(held));
        match entered {
            Ok(pass) => Ok((permit, pass)),
            Err(Hopeless) => Err(TimeUp),
        }
    }
}
