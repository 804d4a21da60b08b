//! How a database that is away is waited for.

use tracing::warn;

use super::RunError;
use crate::causes::with_causes;
use crate::retry::{Disposition, Fails as _, GaveUp, RetryPolicy, Stop};
use crate::store::StoreError;

/// How long a database that is away is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Before the run begins.
    pub at_start: RetryPolicy,
    /// In the midst of it.
    pub in_run: RetryPolicy,
}

/// Does `work` on the database, again and again while it is away, for as long as `patience` lasts.
pub(super) async fn insist<T>(
    patience: RetryPolicy,
    stop: &Stop,
    mut work: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, RunError> {
    let mut attempts = patience.attempts(stop);
    loop {
        let attempt = async {
            work().await.inspect_err(|error| match error.disposition() {
                Disposition::Retry { .. } => {
                    let error = with_causes(error);
                    warn!(error, "The database is away and waited for: {error}");
                }
                Disposition::SkipCustomer(_) | Disposition::AbortRun(_) => {}
            })
        };
        return match attempts.run(attempt).await {
            None => continue,
            Some(Ok(done)) => Ok(done),
            Some(Err(GaveUp::Failed { error, .. })) => Err(error.into()),
            Some(Err(GaveUp::Stopped { .. })) => Err(RunError::Stopped),
        };
    }
}
