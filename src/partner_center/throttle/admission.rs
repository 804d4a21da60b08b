//! What a call waits for before each attempt: the retry budget, a place in flight, and the limiter.
//! Knows no HTTP, so that its tests play minutes in milliseconds.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::POLL;
use super::attribution::UNSURE_QUORUM;
use super::limiter::{Limiter, PausedTooLong, RequestPermit};
use super::retry_budget::{Claim, Counted, RetryBudget};
use crate::ledger::CustomerId;
use crate::retry::Attempts;

/// Shared by all calls of a client.
#[derive(Debug)]
pub(in crate::partner_center) struct Admission {
    in_flight: Arc<Semaphore>,
    /// Only one first attempt at a time queues for a place in flight, so that retries do not wait
    /// behind all of them.
    first_in_queue: Semaphore,
    /// First attempts that wait.
    first_attempts: AtomicUsize,
    pub(in crate::partner_center) limiter: Limiter,
}

/// A call that is made again.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Retry {
    /// How many retries came before.
    pub(in crate::partner_center) before: u32,
    pub(in crate::partner_center) cause: RetryCause,
}

/// How the last attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum RetryCause {
    /// The server asked for a wait, which is over.
    RetryAfter,
    /// A limit without `Retry-After`.
    RateLimited,
    /// 503 without `Retry-After`: a limit or a fault.
    Unavailable,
    ServerError,
}

/// The time for which a call is retried was over before its attempt could be made.
#[derive(Debug)]
pub(in crate::partner_center) struct TimeUp;

impl Admission {
    /// `patience`: the time for which a call is retried.
    pub(in crate::partner_center) fn new(
        max_per_second: Option<f64>,
        max_in_flight: usize,
        patience: Duration,
    ) -> Self {
        Self {
            in_flight: Arc::new(Semaphore::new(max_in_flight)),
            first_in_queue: Semaphore::new(1),
            first_attempts: AtomicUsize::new(0),
            limiter: Limiter::new(max_per_second, patience),
        }
    }

    /// Waits until an attempt at a call, about a customer or about none, may be made.
    pub(in crate::partner_center) async fn acquire(
        &self,
        budget: &RetryBudget,
        customer: Option<CustomerId>,
        attempts: &mut Attempts<'_>,
        retry: Option<Retry>,
    ) -> Result<(OwnedSemaphorePermit, RequestPermit<'_>), TimeUp> {
        if let Some(retry) = retry {
            self.acquire_retry(budget, attempts, retry).await?;
        }
        self.acquire_place(customer, attempts, retry.is_some())
            .await
    }

    /// Waits until the budget that all calls of a session share allows a retry.
    async fn acquire_retry(
        &self,
        budget: &RetryBudget,
        attempts: &Attempts<'_>,
        retry: Retry,
    ) -> Result<(), TimeUp> {
        let allowed = async {
            while !budget.try_acquire(self.claim(budget, retry)) {
                // At most for the time that is left.
                attempts.pulse().sleep(POLL).await;
            }
        };
        tokio::time::timeout(attempts.left(), allowed)
            .await
            .map_err(|_| TimeUp)
    }

    /// What a retry may cost. After a wait that the server asked for it costs nothing. While no
    /// call is served, the limiter lets one probe at a time through, and a first attempt is the
    /// better probe: a retry would burden the server again with what it has just refused.
    fn claim(&self, budget: &RetryBudget, retry: Retry) -> Claim {
        let has_first_attempts = self.first_attempts.load(Ordering::Relaxed) > 0;
        // With so few calls a quorum is hardly reached, so each call goes by its own waits.
        let are_few = budget.most_calls() <= UNSURE_QUORUM;
        let is_stuck = self.limiter.is_stuck();
        match retry.cause {
            RetryCause::RetryAfter => Claim::Free,
            RetryCause::RateLimited | RetryCause::Unavailable if are_few && !has_first_attempts => {
                Claim::Free
            }
            RetryCause::RateLimited if is_stuck && !has_first_attempts => Claim::Free,
            RetryCause::RateLimited | RetryCause::Unavailable | RetryCause::ServerError
                if is_stuck && has_first_attempts =>
            {
                Claim::Share
            }
            RetryCause::RateLimited if has_first_attempts && !self.limiter.has_served() => {
                Claim::Share
            }
            RetryCause::RateLimited | RetryCause::Unavailable | RetryCause::ServerError => {
                Claim::Retry(retry.before)
            }
        }
    }

    /// Waits for a place among the requests in flight, and for the limiter.
    async fn acquire_place(
        &self,
        customer: Option<CustomerId>,
        attempts: &mut Attempts<'_>,
        is_retry: bool,
    ) -> Result<(OwnedSemaphorePermit, RequestPermit<'_>), TimeUp> {
        let (queued, paused) = (Instant::now(), self.limiter.paused());
        // Held until the permit is acquired.
        let _first = if is_retry {
            None
        } else {
            let counted = Counted::one_of(&self.first_attempts);
            let first = self.first_in_queue.acquire().await;
            Some((first.expect("the semaphore is never closed"), counted))
        };
        let place = Arc::clone(&self.in_flight)
            .acquire_owned()
            .await
            .expect("the semaphore is never closed");
        let held = self.limiter.paused().saturating_sub(paused);
        let left = attempts
            .left()
            .saturating_add(queued.elapsed())
            .saturating_sub(held);
        let permit = self
            .limiter
            .acquire(customer, is_retry, left, attempts.pulse())
            .await;
        // Time in our own queue does not count as retrying, but a pause that the server asks for
        // does.
        let held = self.limiter.paused().saturating_sub(paused);
        attempts.discount(queued.elapsed().saturating_sub(held));
        match permit {
            Ok(permit) => Ok((place, permit)),
            Err(PausedTooLong) => Err(TimeUp),
        }
    }
}
