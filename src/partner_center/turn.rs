//! What a call waits for before each attempt: leave to retry, a place among the requests in flight, and the limiter.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::call::Call;
use super::limiter::{Hopeless, Pass};
use super::{ApiError, Client};
use crate::retry::{Attempts, Disposition, Fails as _, Stop};

/// Why a call does not get its turn.
pub(super) enum NoTurn {
    /// The program is to stop.
    Stopped,
    /// There is no time left for it.
    TimeUp,
}

impl Client {
    /// Waits for the turn of a call, which is retried for the n-th time, counted from nought, or not a retry.
    pub(super) async fn turn(
        &self,
        call: &Call,
        attempts: &mut Attempts<'_>,
        retry: Option<u32>,
        stop: &Stop,
    ) -> Result<(OwnedSemaphorePermit, Pass<'_>), NoTurn> {
        let turn = async {
            if let Some(before) = retry {
                self.leave_to_retry(attempts, before).await?;
            }
            self.admit(call, attempts, retry.is_some()).await
        };
        tokio::select! {
            biased;
            () = stop.soon.cancelled() => Err(NoTurn::Stopped),
            turn = turn => turn,
        }
    }

    /// Waits until the budget that all calls share allows a retry.
    async fn leave_to_retry(&self, attempts: &Attempts<'_>, before: u32) -> Result<(), NoTurn> {
        tokio::time::timeout(attempts.left(), self.budget.leave(before))
            .await
            .map_err(|_| NoTurn::TimeUp)
    }

    /// Waits for a place among the requests in flight, and for the turn.
    async fn admit(
        &self,
        call: &Call,
        attempts: &mut Attempts<'_>,
        is_retry: bool,
    ) -> Result<(OwnedSemaphorePermit, Pass<'_>), NoTurn> {
        let (queued, paused) = (Instant::now(), self.limiter.paused());
        // Held until the turn has come. Where many are new, who was refused and has waited as told would come after all of
        // them, each of whom may be refused as well.
        let _first = if is_retry {
            None
        } else {
            let first = self.first_attempts.acquire().await;
            Some(first.expect("the semaphore is never closed"))
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
        let entered = self.limiter.enter(call.customer, left).await;
        // The queue is our own, but a wait that the server asks of everybody is not.
        let held = self.limiter.paused().saturating_sub(paused);
        attempts.discount(queued.elapsed().saturating_sub(held));
        match entered {
            Ok(pass) => Ok((permit, pass)),
            Err(Hopeless) => Err(NoTurn::TimeUp),
        }
    }

    /// Takes note of what an attempt says about the API as a whole.
    pub(super) fn note(&self, error: Option<&ApiError>, is_retry: bool) {
        match error.map(|error| (error, error.disposition())) {
            Some((ApiError::Throttled, _) | (_, Disposition::AbortRun(_))) => {}
            Some((_, Disposition::Retry { .. })) => self.budget.failed(is_retry),
            Some((_, Disposition::SkipCustomer(_))) | None => self.budget.alive(),
        }
    }
}
