//! When to try again: the policy, what an error asks for, and the waits between attempts. Knows no
//! HTTP and no SQL. The only file that uses the `backoff` crate; none of its types leave it (see
//! `docs/decisions/0001-backoff-behind-our-own-policy.md`).

mod classify;
mod error;
#[cfg(test)]
mod tests;

use std::time::Duration;

use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use tokio::time::Instant;

pub use classify::{Classify, Disposition, Pace, Remedy, passes_by_itself, remedy_of_io};
pub use error::RetryError;

use crate::shutdown::{Shutdown, Stopped};
use crate::watchdog::Pulse;

/// Under a rate limit that names no wait, the next attempt comes after a fourth of the time that
/// the limit has lasted: a call is delayed by at most about a third more than the limit lasts.
const LIMIT_SHARE: u32 = 4;

/// A wait that the server asks for is lengthened at random by up to an eighth of it, and by at most
/// this time. Otherwise all calls that were asked to wait would come at the same moment.
pub(crate) const SPREAD_SHARE: u32 = 8;
pub(crate) const LONGEST_SPREAD: Duration = Duration::from_secs(1);

/// Exponential backoff with full jitter: the n-th wait is uniform between zero and
/// `initial * 2^n`, at most `max`. Retrying ends `max_elapsed` after the first attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    initial: Duration,
    max: Duration,
    max_elapsed: Duration,
    /// As `max_elapsed`, for failures that are most likely permanent.
    likely_permanent: Duration,
}

/// Why intervals are not a valid policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// The first interval is zero, which would be a busy loop.
    #[error("the initial interval is zero")]
    ZeroInitial,
    /// The intervals would have to shrink.
    #[error("the longest interval is shorter than the initial one")]
    MaxBelowInitial,
}

impl RetryPolicy {
    /// # Errors
    /// When `initial` is zero or longer than `max`.
    pub fn try_new(
        initial: Duration,
        max: Duration,
        max_elapsed: Duration,
    ) -> Result<Self, InvalidPolicy> {
        if initial.is_zero() {
            return Err(InvalidPolicy::ZeroInitial);
        }
        if max < initial {
            return Err(InvalidPolicy::MaxBelowInitial);
        }
        Ok(Self {
            initial,
            max,
            max_elapsed,
            likely_permanent: Duration::MAX,
        })
    }

    /// The same intervals, and retrying without an end.
    #[must_use]
    pub fn unbounded(self) -> Self {
        self.with_max_elapsed(Duration::MAX)
    }

    /// The same policy with waits of at most `max`.
    #[must_use]
    pub fn with_max_interval(self, max: Duration) -> Self {
        Self {
            initial: self.initial.min(max),
            max: self.max.min(max),
            ..self
        }
    }

    /// For how long an operation is retried.
    #[must_use]
    pub fn max_elapsed(self) -> Duration {
        self.max_elapsed
    }

    /// The same intervals with another end.
    #[must_use]
    pub fn with_max_elapsed(self, max_elapsed: Duration) -> Self {
        Self {
            max_elapsed,
            ..self
        }
    }

    /// The same policy for a person who is waiting: failures that are most likely permanent are
    /// retried for this long at most.
    #[must_use]
    pub fn with_likely_permanent(self, likely_permanent: Duration) -> Self {
        Self {
            likely_permanent,
            ..self
        }
    }

    /// Begins an operation under this policy.
    #[must_use]
    pub fn attempts(self, shutdown: &Shutdown) -> Attempts<'_> {
        Attempts {
            policy: self,
            waits: self.waits(),
            shutdown,
            began: Instant::now(),
            failing_since: None,
            failed: 0,
        }
    }

    /// The waits between attempts; they never end.
    fn waits(self) -> ExponentialBackoff {
        // The crate varies an interval by up to the factor in both directions. Half the interval
        // with the factor one is therefore uniform between zero and the whole: full jitter.
        ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial / 2)
            .with_max_interval(self.max / 2)
            .with_multiplier(2.0)
            .with_randomization_factor(1.0)
            .with_max_elapsed_time(None)
            .build()
    }
}

/// The attempts at one operation.
///
/// ```
/// # use std::time::Duration;
/// # use seatledger::retry::{Disposition, Classify, RetryPolicy};
/// # use seatledger::shutdown::Shutdown;
/// # #[derive(Debug)]
/// # struct Away;
/// # impl Classify for Away {
/// #     fn disposition(&self) -> Disposition { Disposition::Retry { after: None } }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let mut left = 3;
/// # let mut call = async || { left -= 1; if left > 0 { Err(Away) } else { Ok("answer") } };
/// # let ms = Duration::from_millis;
/// let policy = RetryPolicy::try_new(ms(1), ms(2), ms(1_000))?;
/// let shutdown = Shutdown::default();
/// let mut attempts = policy.attempts(&shutdown);
/// let end = loop {
///     if let Some(end) = attempts.run(call()).await {
///         break end;
///     }
/// };
/// assert_eq!(end.unwrap(), "answer");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Attempts<'a> {
    policy: RetryPolicy,
    waits: ExponentialBackoff,
    shutdown: &'a Shutdown,
    began: Instant,
    /// When the first attempt failed.
    failing_since: Option<Instant>,
    /// How many attempts failed.
    failed: u32,
}

impl Attempts<'_> {
    /// Leaves the time that was spent in our own queue out of the policy's time.
    pub fn discount(&mut self, queued: Duration) {
        self.began += queued;
    }

    /// How much of the policy's time is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.policy.max_elapsed.saturating_sub(self.began.elapsed())
    }

    /// The pulse of the program whose operation this is.
    pub(crate) fn pulse(&self) -> &Pulse {
        &self.shutdown.pulse
    }

    /// Makes one attempt. Returns `None` once the wait before the next attempt is over, and else
    /// how the operation ended: with success, an error that is not retried, the policy's time used
    /// up, or a stop.
    pub async fn run<T, E: Classify>(
        &mut self,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, RetryError<E>>> {
        match self.shutdown.unless_forced(attempt).await {
            Ok(Ok(value)) => Some(Ok(value)),
            Ok(Err(error)) => self.after(error).await.err().map(Err),
            Err(Stopped) => Some(Err(RetryError::Stopped {
                attempts: self.failed + 1,
                last: None,
            })),
        }
    }

    /// For a loop that makes its attempts itself: waits after an attempt that failed, and returns
    /// its error once the next attempt is due. A wait is never shorter than the server asked for;
    /// if that is longer than the time left, the operation fails at once.
    ///
    /// # Errors
    /// When there is no further attempt.
    pub async fn after<E: Classify>(&mut self, error: E) -> Result<E, RetryError<E>> {
        self.failed += 1;
        let attempts = self.failed;
        let after = match error.disposition() {
            Disposition::Retry { after } => after,
            Disposition::SkipCustomer(_) => return Err(RetryError::Failed { error, attempts }),
            Disposition::AbortRun(_) => return Err(RetryError::Fatal(error)),
        };
        let wait = self.wait(error.pace(), after);
        let max_elapsed = if error.is_likely_permanent() {
            self.policy.max_elapsed.min(self.policy.likely_permanent)
        } else {
            self.policy.max_elapsed
        };
        if self.began.elapsed().saturating_add(wait) > max_elapsed {
            return Err(RetryError::Failed { error, attempts });
        }
        match self.shutdown.pause(wait).await {
            Ok(()) => Ok(error),
            Err(Stopped) => Err(RetryError::Stopped {
                attempts,
                last: Some(error),
            }),
        }
    }

    /// How long to wait after an attempt that has just failed.
    fn wait(&mut self, pace: Pace, after: Option<Duration>) -> Duration {
        let ours = self.waits.next_backoff().unwrap_or(self.policy.max);
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let after = after.unwrap_or_default();
        match pace {
            Pace::Backoff => ours.max(after),
            Pace::Limit if after.is_zero() => {
                let share = since.elapsed() / LIMIT_SHARE;
                ours.min(share.max(self.policy.initial))
            }
            Pace::Limit => {
                let spread = ours.min(after / SPREAD_SHARE).min(LONGEST_SPREAD);
                after.saturating_add(spread)
            }
        }
    }
}
