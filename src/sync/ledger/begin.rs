//! The beginning of a run: the run lock, and the run's record. Waits while another run is under
//! way, and says whose it is.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tracing::{info, warn};

use super::{DatabaseRetry, Ledger, retry_while_away};
use crate::clock::Clock;
use crate::shutdown::Shutdown;
use crate::store::{NewRun, RunLease, Store, StoreError};
use crate::sync::error::RunError;
use crate::sync::report::Progress;

/// How often the run lock is tried while another process holds it. Each try opens a connection, so
/// a shorter interval would burden the server for nothing.
const LOCK_INTERVAL: Duration = Duration::from_millis(500);

/// How long the look-up of the other run may take. After that, the message is logged without it.
const OTHER_RUN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a run needs to write to the ledger.
pub(in crate::sync) struct LedgerAccess<'a> {
    pub(in crate::sync) store: &'a Store,
    pub(in crate::sync) clock: &'a Arc<dyn Clock>,
    pub(in crate::sync) retry: DatabaseRetry,
    pub(in crate::sync) shutdown: &'a Shutdown,
}

impl LedgerAccess<'_> {
    /// Takes the run lock and records that a run begins. While another run is under way it waits,
    /// and shows that in `progress`.
    pub(in crate::sync) async fn begin(
        self,
        run: &NewRun,
        progress: &watch::Sender<Progress>,
    ) -> Result<Ledger, RunError> {
        loop {
            if let Some((lock, run_id)) = self.try_begin(run).await? {
                return Ok(Ledger {
                    store: self.store.clone(),
                    lock: Some(lock),
                    run_id,
                    clock: Arc::clone(self.clock),
                    retry: self.retry.in_run,
                    shutdown: Shutdown {
                        graceful: self.shutdown.graceful.clone(),
                        ..Shutdown::default()
                    },
                });
            }
            let is_first = progress.send_if_modified(|progress| {
                let is_first = !progress.waiting;
                progress.waiting = true;
                is_first
            });
            if is_first {
                self.log_other_run().await;
            }
            tokio::select! {
                biased;
                () = self.shutdown.graceful.cancelled() => return Err(RunError::Stopped),
                () = tokio::time::sleep(LOCK_INTERVAL) => {}
            }
        }
    }

    /// None while another run is under way.
    async fn try_begin(&self, run: &NewRun) -> Result<Option<(RunLease, i64)>, RunError> {
        let (store, retry) = (self.store, self.retry.at_start);
        retry_while_away(store, retry, self.shutdown, async || {
            let Some(mut lock) = store.try_lease_run().await? else {
                return Ok(None);
            };
            mark_interrupted(&mut lock, &**self.clock).await?;
            let run = NewRun {
                started_at: self.clock.now(),
                ..run.clone()
            };
            let run_id = lock.begin_run(&run).await?;
            Ok(Some((lock, run_id)))
        })
        .await
    }

    async fn log_other_run(&self) {
        let asked = tokio::time::timeout(OTHER_RUN_TIMEOUT, self.store.load_other_run()).await;
        if let Ok(Ok(Some(other))) = asked {
            let other = other.to_string();
            info!(
                lock.holders = other,
                "Another run is under way, waiting for it to end: {other}"
            );
        } else {
            info!("Another run is under way, waiting for it to end");
        }
    }
}

/// Marks the runs that a crash left behind. The lock is held, so none of them is still under way.
pub(in crate::sync) async fn mark_interrupted(
    lock: &mut RunLease,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    match lock.mark_interrupted(clock.now()).await? {
        0 => {}
        runs => warn!(runs, "Found a run that was cut off, marked as interrupted"),
    }
    Ok(())
}
