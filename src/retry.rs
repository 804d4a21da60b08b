//! When to try again: the policy, what a failure asks for, and the loop that obeys both.
//! The only file that knows the `backoff` crate; none of its types leave it (see
//! `docs/decisions/0001-backoff-behind-our-own-policy.md`). No HTTP and no SQL here.

use std::io;
use std::time::Duration;

use crate::shutdown::Shutdown;
use backoff::backoff::Backoff as _;
use backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use tokio::time::Instant;

/// What mends a failure. The daemon waits or ends by it, and the exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing but time: it may pass by itself.
    Time,
    /// A person has to act first: sign in, give a right, renew a certificate.
    Person,
    /// The configuration has to be changed, or what it names.
    Configuration,
}

/// What a failure asks of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Try again; the server may have said how long to wait.
    Retry {
        /// A lower bound of the wait, from the server.
        after: Option<Duration>,
    },
    /// Leave this customer, go on with the next. The remedy counts where the failure is not one
    /// customer's, such as that of the list of customers.
    SkipCustomer(Remedy),
    /// Nothing further can succeed in this run.
    AbortRun(Remedy),
}

impl Disposition {
    /// What mends the failure.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::Retry { .. } => Remedy::Time,
            Self::SkipCustomer(remedy) | Self::AbortRun(remedy) => remedy,
        }
    }
}

/// How the waits between attempts grow where the server names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Exponentially: a server in trouble is to be left alone.
    Backoff,
    /// With the time that the failure has lasted: a limit ends at a moment of its own, and is to
    /// cost no more than it lasts and a little.
    Limit,
}

/// An error that knows what it asks of the run. Each implementation is the one place that judges
/// its failures, by a match without a wildcard; retries, the daemon's end and the exit code all
/// follow from it.
pub trait Classify {
    /// What to do about it.
    fn disposition(&self) -> Disposition;

    /// How soon to try again, where that is what to do.
    fn pace(&self) -> Pace {
        Pace::Backoff
    }

    /// What mends it.
    fn remedy(&self) -> Remedy {
        self.disposition().remedy()
    }

    /// Whether it is tried again although it has most likely to be mended by somebody: a name that
    /// nobody knows may be misspelt, or the network be coming up. Whoever is watching is told
    /// sooner, see [`RetryPolicy::with_doubt`].
    fn is_doubtful(&self) -> bool {
        false
    }
}

/// What mends a failure to use a file of ours that a person has to see to, unless the cause passes
/// by itself.
#[must_use]
pub fn remedy_of_io(error: &io::Error, otherwise: Remedy) -> Remedy {
    if passes_by_itself(error) {
        Remedy::Time
    } else {
        otherwise
    }
}

/// Whether an input or output error says nothing of the file or address: the machine was short of
/// something.
#[must_use]
pub fn passes_by_itself(error: &io::Error) -> bool {
    // EINTR, EAGAIN, ENOMEM, ENFILE and EMFILE, which have these numbers on every Linux. The last
    // two have no kind.
    const SHORT_OF_SOMETHING: [i32; 5] = [4, 11, 12, 23, 24];
    if let Some(code) = error.raw_os_error() {
        return SHORT_OF_SOMETHING.contains(&code);
    }
    // What a library wraps, to add a path to it, is not among its sources and shows in its words
    // only.
    let said = error.to_string();
    SHORT_OF_SOMETHING
        .iter()
        .any(|code| said.contains(&format!("(os error {code})")))
}

/// A limit is looked at again after this share of the time for which it has lasted.
const LIMIT_SHARE: u32 = 4;

/// A wait that the server asks for is spread by its share of this size, and by no more than this
/// time: all who were told the same are not to come at the same moment.
pub(crate) const SPREAD_SHARE: u32 = 8;
pub(crate) const LONGEST_SPREAD: Duration = Duration::from_secs(1);

/// Exponential waits with full jitter: the n-th is uniform between nothing and
/// `initial * 2^n`, at most `max`. Retrying ends once `max_elapsed` has passed since the first
/// attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    initial: Duration,
    max: Duration,
    max_elapsed: Duration,
    doubt: Duration,
}

/// A policy that would not make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// The first interval is zero: that would be a busy loop.
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
            doubt: Duration::MAX,
        })
    }

    /// The same intervals without an end, for what must be waited for.
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

    /// How long is retried.
    #[must_use]
    pub fn max_elapsed(self) -> Duration {
        self.max_elapsed
    }

    /// The same intervals for another time.
    #[must_use]
    pub fn with_max_elapsed(self, max_elapsed: Duration) -> Self {
        Self {
            max_elapsed,
            ..self
        }
    }

    /// The same policy for somebody who is watching: what is doubtful is retried for this long at
    /// the most.
    #[must_use]
    pub fn with_doubt(self, doubt: Duration) -> Self {
        Self { doubt, ..self }
    }

    /// Begins an operation that is tried under this policy.
    #[must_use]
    pub fn attempts(self, shutdown: &Shutdown) -> Attempts<'_> {
        Attempts {
            policy: self,
            waits: self.waits(),
            shutdown,
            began: Instant::now(),
            failing_since: None,
            made: 0,
        }
    }

    /// The waits between attempts, without end.
    fn waits(self) -> ExponentialBackoff {
        // The crate spreads a nominal interval by plus or minus its factor. Half the interval with
        // factor one is therefore uniform between nothing and the whole interval: full jitter.
        ExponentialBackoffBuilder::new()
            .with_initial_interval(self.initial / 2)
            .with_max_interval(self.max / 2)
            .with_multiplier(2.0)
            .with_randomization_factor(1.0)
            .with_max_elapsed_time(None)
            .build()
    }
}

/// How a retried operation ended without success.
#[derive(Debug)]
pub enum RetryError<E> {
    /// The last error, and how many attempts were made.
    Failed {
        /// What the last attempt said.
        error: E,
        /// How many attempts were made.
        attempts: u32,
    },
    /// The program was asked to stop: while waiting for an attempt, or in the middle of one when it
    /// had to end at once.
    Stopped {
        /// How many attempts were made.
        attempts: u32,
        /// What the last attempt said, where one had failed.
        last: Option<E>,
    },
}

/// What came of one attempt.
#[derive(Debug)]
pub enum Attempt<T, E> {
    /// Success, or nothing further is to be tried.
    Ended(Result<T, RetryError<E>>),
    /// The wait before the next attempt is over; this is why there is to be one.
    Again(E),
}

/// The attempts at one operation: run it until the end comes.
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
/// # let mut call = || { left -= 1; std::future::ready(if left > 0 { Err(Away) } else { Ok("answer") }) };
/// let policy = RetryPolicy::try_new(Duration::from_millis(1), Duration::from_millis(2), Duration::from_secs(1))?;
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
    made: u32,
}

impl Attempts<'_> {
    /// Takes time that passed in a queue of our own off the policy's account: it was not the
    /// server's fault.
    pub fn discount(&mut self, queued: Duration) {
        self.began += queued;
    }

    /// How much of the policy's time is left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.policy.max_elapsed.saturating_sub(self.began.elapsed())
    }

    /// Makes one attempt. Gives the end: success, a failure for good, the policy's time used up, or
    /// a stop. Gives `None` once the wait before the next attempt is over. A wait is never
    /// shorter than the server asked; where that is beyond the time left, it gives up at once
    /// rather than come early.
    pub async fn run<T, E: Classify>(
        &mut self,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Option<Result<T, RetryError<E>>> {
        match self.try_once(attempt).await {
            Attempt::Ended(end) => Some(end),
            Attempt::Again(_) => None,
        }
    }

    /// As [`Attempts::run`], for who has a use for the error when there is to be a next attempt.
    pub async fn try_once<T, E: Classify>(
        &mut self,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Attempt<T, E> {
        self.made += 1;
        let attempts = self.made;
        let stopped = |last| Attempt::Ended(Err(RetryError::Stopped { attempts, last }));
        let result = tokio::select! {
            biased;
            () = self.shutdown.forced.cancelled() => return stopped(None),
            result = attempt => result,
        };
        let error = match result {
            Ok(value) => return Attempt::Ended(Ok(value)),
            Err(error) => error,
        };
        let after = match error.disposition() {
            Disposition::Retry { after } => after,
            Disposition::SkipCustomer(_) | Disposition::AbortRun(_) => {
                return Attempt::Ended(Err(RetryError::Failed { error, attempts }));
            }
        };
        let wait = self.wait(error.pace(), after);
        let most = if error.is_doubtful() {
            self.policy.max_elapsed.min(self.policy.doubt)
        } else {
            self.policy.max_elapsed
        };
        if self.began.elapsed().saturating_add(wait) > most {
            return Attempt::Ended(Err(RetryError::Failed { error, attempts }));
        }
        tokio::select! {
            biased;
            () = self.shutdown.graceful.cancelled() => stopped(Some(error)),
            () = tokio::time::sleep(wait) => Attempt::Again(error),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug)]
    struct Fault(Disposition);

    #[derive(Debug)]
    struct Limited(Option<Duration>);

    impl Classify for Limited {
        fn disposition(&self) -> Disposition {
            Disposition::Retry { after: self.0 }
        }

        fn pace(&self) -> Pace {
            Pace::Limit
        }
    }

    /// How long a limit of this length costs, and how many attempts.
    async fn limited(secs: u64, wish: Option<Duration>) -> (Duration, u32) {
        let began = Instant::now();
        let shutdown = Shutdown::default();
        let mut attempts = policy(1_000, 60_000, 900_000).attempts(&shutdown);
        for made in 1.. {
            let is_over = began.elapsed() >= Duration::from_secs(secs);
            let result = if is_over { Ok(()) } else { Err(Limited(wish)) };
            if let Some(end) = attempts.run(async { result }).await {
                end.unwrap();
                return (began.elapsed(), made);
            }
        }
        unreachable!("the limit ends")
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_costs_its_own_length_and_at_most_a_third_more() {
        for secs in [2, 10, 60] {
            for _ in 0..50 {
                let (took, made) = limited(secs, None).await;
                let most = Duration::from_secs(secs + 1 + secs / 3);
                assert!(took <= most, "{secs} s cost {took:?}");
                assert!(made < 40, "{secs} s cost {made} attempts");
                let (took, _) = limited(secs, Some(Duration::from_secs(secs))).await;
                assert!(
                    took <= Duration::from_secs(secs + 1),
                    "{secs} s cost {took:?}"
                );
            }
        }
    }

    impl Classify for Fault {
        fn disposition(&self) -> Disposition {
            self.0
        }
    }

    fn policy(initial: u64, max: u64, elapsed: u64) -> RetryPolicy {
        RetryPolicy::try_new(
            Duration::from_millis(initial),
            Duration::from_millis(max),
            Duration::from_millis(elapsed),
        )
        .unwrap()
    }

    fn waits(policy: RetryPolicy) -> impl Iterator<Item = Duration> {
        let mut waits = policy.waits();
        std::iter::from_fn(move || waits.next_backoff())
    }

    /// Tries until the end, and says how many attempts it took.
    async fn retry<T>(
        policy: RetryPolicy,
        shutdown: &Shutdown,
        mut attempt: impl FnMut(u32) -> Result<T, Fault>,
    ) -> (Result<T, RetryError<Fault>>, u32) {
        let mut attempts = policy.attempts(shutdown);
        let mut made = 0;
        loop {
            made += 1;
            let result = attempt(made);
            if let Some(end) = attempts.run(async { result }).await {
                return (end, made);
            }
        }
    }

    proptest! {
        #[test]
        fn each_wait_lies_between_nothing_and_the_doubled_interval(initial in 1u64..10_000, factor in 1u64..1_000) {
            let max = initial * factor;
            let mut nominal = Duration::from_millis(initial);
            for wait in waits(policy(initial, max, 0)).take(20) {
                prop_assert!(wait <= nominal + Duration::from_millis(1), "{wait:?} over {nominal:?}");
                nominal = (nominal * 2).min(Duration::from_millis(max));
            }
        }
    }

    #[test]
    fn waits_are_spread_over_the_whole_interval() {
        let firsts: Vec<_> = (0..200)
            .filter_map(|_| waits(policy(1_000, 1_000, 0)).next())
            .collect();
        assert!(firsts.iter().any(|wait| wait.as_millis() < 200));
        assert!(firsts.iter().any(|wait| wait.as_millis() > 800));
    }

    #[test]
    fn a_policy_that_makes_no_sense_cannot_be_built() {
        let second = Duration::from_secs(1);
        assert_eq!(
            RetryPolicy::try_new(Duration::ZERO, second, second),
            Err(InvalidPolicy::ZeroInitial)
        );
        assert_eq!(
            RetryPolicy::try_new(second * 2, second, second),
            Err(InvalidPolicy::MaxBelowInitial)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_servers_wish_is_a_lower_bound_of_the_wait() {
        let began = Instant::now();
        let after = Some(Duration::from_secs(7));
        let result = retry(policy(10, 20, 60_000), &Shutdown::default(), |n| {
            if n < 3 {
                Err(Fault(Disposition::Retry { after }))
            } else {
                Ok("done")
            }
        })
        .await;
        assert_eq!((result.0.unwrap(), result.1), ("done", 3));
        assert!(began.elapsed() >= Duration::from_secs(14));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_beyond_the_time_left_ends_it_at_once() {
        let began = Instant::now();
        let after = Some(Duration::from_hours(1));
        let result = retry(policy(10, 20, 60_000), &Shutdown::default(), |_| {
            Err::<(), _>(Fault(Disposition::Retry { after }))
        })
        .await;
        assert!(matches!(
            result.0,
            Err(RetryError::Failed { attempts: 1, .. })
        ));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn retrying_ends_when_the_time_is_used_up() {
        let began = Instant::now();
        let result = retry(policy(100, 400, 5_000), &Shutdown::default(), |_| {
            Err::<(), _>(Fault(Disposition::Retry { after: None }))
        })
        .await;
        assert!(matches!(result.0, Err(RetryError::Failed { attempts, .. }) if attempts > 5));
        assert!(began.elapsed() <= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_heard_during_a_wait() {
        let shutdown = Shutdown::default();
        let asked = shutdown.graceful.clone();
        let result = retry(policy(60_000, 60_000, 600_000), &shutdown, |_| {
            asked.cancel();
            Err::<(), _>(Fault(Disposition::Retry { after: None }))
        })
        .await;
        assert!(matches!(
            result.0,
            Err(RetryError::Stopped {
                attempts: 1,
                last: Some(_)
            })
        ));
    }

    #[test]
    fn what_the_machine_is_short_of_passes_and_what_is_not_there_does_not() {
        for (code, remedy) in [(24, Remedy::Time), (23, Remedy::Time), (2, Remedy::Person)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(remedy_of_io(&error, Remedy::Person), remedy, "{error}");
            let wrapped = io::Error::new(error.kind(), format!("{error} at path \"x\""));
            assert_eq!(remedy_of_io(&wrapped, Remedy::Person), remedy, "{wrapped}");
        }
    }

    #[tokio::test]
    async fn what_no_retry_mends_is_tried_once() {
        let result = retry(policy(1, 1, 1_000), &Shutdown::default(), |_| {
            Err::<(), _>(Fault(Disposition::SkipCustomer(Remedy::Person)))
        })
        .await;
        assert!(matches!(
            result.0,
            Err(RetryError::Failed { attempts: 1, .. })
        ));
    }
}
