//! Waits for a database that is away. Logs when it goes away, every quarter of an hour while it
//! stays away, and when it is back; a line for each attempt would bury these.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::locks::tell_of_locks;
use crate::causes::with_causes;
use crate::retry::{Classify as _, Disposition, RetryPolicy};
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreError};
use crate::sync::error::RunError;
use crate::sync::report::{Phase, Progress, enter};

/// How often it is logged that the database is still away.
const REMINDER_INTERVAL: Duration = Duration::from_mins(15);

/// For how long an attempt counts as moving on without an answer from the database: within this
/// time a statement ends, or the wait for it. Beyond it the answers of another connection tell.
const LONGEST_STATEMENT: Duration = Duration::from_mins(2);

/// How long a database that is away is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseRetry {
    /// Before the run begins.
    pub at_start: RetryPolicy,
    /// While the run is under way.
    pub in_run: RetryPolicy,
}

/// A time in which the database did not answer.
#[derive(Debug)]
struct DatabaseOutage {
    began: Instant,
    logged: Instant,
}

impl DatabaseOutage {
    fn new(began: Instant) -> Self {
        let logged = began;
        Self { began, logged }
    }

    /// After another failure: the length of the outage so far, if a reminder is due.
    fn reminder(&mut self, now: Instant) -> Option<Duration> {
        (now - self.logged >= REMINDER_INTERVAL).then(|| {
            self.logged = now;
            now - self.began
        })
    }
}

/// Does `work` on the database, and repeats it while the database is away, for as long as `policy`
/// says. Meanwhile logs whose lock it waits for, and shows in the run's `progress` that the
/// database is away.
///
/// # Errors
/// When the database refuses, stays away, or the program is asked to stop meanwhile.
pub(in crate::sync) async fn retry_while_away<T>(
    store: &Store,
    policy: RetryPolicy,
    shutdown: &Shutdown,
    progress: Option<&watch::Sender<Progress>>,
    work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, RunError> {
    let work = retrying(store, policy, shutdown, progress, work);
    tell_of_locks(store, &shutdown.pulse, work).await
}

/// As [`retry_while_away`], for a caller that looks after the locks.
pub(super) async fn retrying<T>(
    store: &Store,
    policy: RetryPolicy,
    shutdown: &Shutdown,
    progress: Option<&watch::Sender<Progress>>,
    mut work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, RunError> {
    let mut attempts = policy.attempts(shutdown);
    let mut outage: Option<DatabaseOutage> = None;
    // The phase to which the run returns.
    let mut interrupted = None;
    loop {
        let attempt = async {
            work().await.inspect_err(|error| match error.disposition() {
                Disposition::Retry { .. } => {
                    log_failure(store, error, &mut outage);
                    if let (Some(progress), Some(_)) = (progress, &outage) {
                        interrupted.get_or_insert_with(|| progress.borrow().phase);
                        enter(progress, Phase::WaitingForDatabase);
                    }
                }
                Disposition::SkipCustomer(_) | Disposition::AbortRun(_) => {}
            })
        };
        let attempt = shutdown.pulse.during(LONGEST_STATEMENT, Box::pin(attempt));
        match attempts.run(attempt).await {
            None => {}
            Some(Ok(done)) => {
                if let (Some(progress), Some(phase)) = (progress, interrupted) {
                    enter(progress, phase);
                }
                if let Some(outage) = outage {
                    log_return(store, outage.began.elapsed());
                }
                return Ok(done);
            }
            Some(Err(end)) => {
                return Err(end.into_error().map_or(RunError::Stopped, RunError::from));
            }
        }
    }
}

fn log_failure(store: &Store, error: &StoreError, outage: &mut Option<DatabaseOutage>) {
    let is_locked = error.is_lock_timeout();
    let (database, error) = (store.address(), with_causes(error));
    // Who holds it has been said.
    if is_locked {
        debug!(
            error,
            "A lock was waited for in vain, and is waited for again"
        );
        return;
    }
    let now = Instant::now();
    let Some(outage) = outage else {
        warn!(
            database,
            error, "The database at {database} is away and waited for: {error}"
        );
        *outage = Some(DatabaseOutage::new(now));
        return;
    };
    if let Some(lasted) = outage.reminder(now) {
        let minutes = lasted.as_secs() / 60;
        warn!(
            database,
            error,
            outage.seconds = lasted.as_secs(),
            "The database at {database} is still away, for {minutes} minutes now, and waited for: \
             {error}"
        );
    }
    debug!(database, error, "The database is still away");
}

fn log_return(store: &Store, lasted: Duration) {
    let (database, seconds) = (store.address(), lasted.as_secs());
    info!(
        database,
        outage.seconds = seconds,
        "The database at {database} is back after {seconds} s"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reminder_is_due_every_quarter_of_an_hour() {
        let began = Instant::now();
        let mut outage = DatabaseOutage::new(began);
        let reminders: Vec<u64> = (1..=400)
            .map(|n| began + Duration::from_secs(5 * n))
            .filter_map(|now| outage.reminder(now))
            .map(|lasted| lasted.as_secs() / 60)
            .collect();
        assert_eq!(reminders, [15, 30]);
    }
}
