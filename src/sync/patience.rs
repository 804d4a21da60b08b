//! How a database that is away is waited for, and what is said of it: that it went, every quarter
//! of an hour that it is still away, and that it is back. A line for each attempt would hide these.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::RunError;
use super::locks::tell_of_locks;
use crate::causes::with_causes;
use crate::retry::{Classify as _, Disposition, RetryPolicy};
use crate::shutdown::Shutdown;
use crate::store::{Store, StoreError};

/// How often it is said that the database is still away.
const REMINDER: Duration = Duration::from_mins(15);

/// How long a database that is away is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before the run begins.
    pub at_start: RetryPolicy,
    /// In the midst of it.
    pub in_run: RetryPolicy,
}

/// A time in which the database did not answer.
#[derive(Debug)]
struct Outage {
    began: Instant,
    said: Instant,
}

impl Outage {
    /// Notes a further failure of an outage. Gives how long it lasts, if that is to be said again.
    fn goes_on(&mut self, now: Instant) -> Option<Duration> {
        (now - self.said >= REMINDER).then(|| {
            self.said = now;
            now - self.began
        })
    }
}

/// Does `work` on the database, again and again while it is away, for as long as `patience` lasts.
/// Whose lock it waits for is said, too.
pub(super) async fn insist<T>(
    store: &Store,
    patience: RetryPolicy,
    shutdown: &Shutdown,
    work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, RunError> {
    tell_of_locks(store, persist(store, patience, shutdown, work)).await
}

async fn persist<T>(
    store: &Store,
    patience: RetryPolicy,
    shutdown: &Shutdown,
    mut work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, RunError> {
    let mut attempts = patience.attempts(shutdown);
    let mut outage: Option<Outage> = None;
    loop {
        let attempt = async {
            work().await.inspect_err(|error| match error.disposition() {
                Disposition::Retry { .. } => tell(store, error, &mut outage),
                Disposition::SkipCustomer(_) | Disposition::AbortRun(_) => {}
            })
        };
        match attempts.run(attempt).await {
            None => {}
            Some(Ok(done)) => {
                if let Some(outage) = outage {
                    let seconds = outage.began.elapsed().as_secs();
                    let database = store.address();
                    info!(
                        database,
                        outage.seconds = seconds,
                        "The database {database} is back after {seconds} s"
                    );
                }
                return Ok(done);
            }
            Some(Err(end)) => {
                return Err(end.into_error().map_or(RunError::Stopped, RunError::from));
            }
        }
    }
}

fn tell(store: &Store, error: &StoreError, outage: &mut Option<Outage>) {
    let (database, error) = (store.address(), with_causes(error));
    let now = Instant::now();
    match outage {
        None => {
            warn!(
                database,
                error, "The database {database} is away and waited for: {error}"
            );
            *outage = Some(Outage {
                began: now,
                said: now,
            });
        }
        Some(outage) => {
            if let Some(lasted) = outage.goes_on(now) {
                let minutes = lasted.as_secs() / 60;
                warn!(
                    database,
                    error,
                    outage.seconds = lasted.as_secs(),
                    "The database {database} is still away, for {minutes} minutes now, and waited for: {error}"
                );
            }
            debug!(database, error, "The database is still away");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_of_again_every_quarter_of_an_hour() {
        let began = Instant::now();
        let mut outage = Outage { began, said: began };
        let told: Vec<u64> = (1..=400)
            .map(|n| began + Duration::from_secs(5 * n))
            .filter_map(|now| outage.goes_on(now))
            .map(|lasted| lasted.as_secs() / 60)
            .collect();
        assert_eq!(told, [15, 30]);
    }
}
