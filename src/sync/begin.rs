//! The beginning of a run: the right to run, and its record. Waits while another run is under way,
//! and says whose.

use std::time::Duration;

use tokio::sync::watch;
use tracing::info;

use super::patience::insist;
use super::{LAST_WORD, Progress, Request, RunError, Syncer};
use crate::shutdown::Shutdown;
use crate::store::{NewRun, RunLock};

/// How often the run lock of another process is tried.
const LOCK_INTERVAL: Duration = Duration::from_millis(500);

impl Syncer {
    /// Takes the right to run and records that a run begins. Waits while another run is under way,
    /// and says so.
    pub(super) async fn begin(
        &self,
        request: &Request,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<(RunLock, i64), RunError> {
        loop {
            let begun = insist(
                &self.store,
                request.patience.at_start,
                shutdown,
                async || {
                    let Some(mut lock) = self.store.try_lock_run().await? else {
                        return Ok(None);
                    };
                    self.mark_interrupted(&mut lock).await?;
                    let run = NewRun {
                        kind: request.kind,
                        source: self.source.as_str(),
                        only: request.only.clone(),
                        dated: request.dated,
                        resumes: request.resumes,
                        started_at: self.clock.now(),
                    };
                    let run_id = lock.begin_run(&run).await?;
                    Ok(Some((lock, run_id)))
                },
            );
            if let Some(begun) = begun.await? {
                return Ok(begun);
            }
            let told = !progress.send_if_modified(|progress| {
                let first = !progress.waiting;
                progress.waiting = true;
                first
            });
            if !told {
                self.tell_of_the_other_run().await;
            }
            tokio::select! {
                biased;
                () = shutdown.graceful.cancelled() => return Err(RunError::Stopped),
                () = tokio::time::sleep(LOCK_INTERVAL) => {}
            }
        }
    }

    /// That a run waits for another, and whose that is, as far as it can be found out soon.
    async fn tell_of_the_other_run(&self) {
        let asked = tokio::time::timeout(LAST_WORD, self.store.load_other_run()).await;
        match asked {
            Ok(Ok(Some(other))) => {
                let other = other.to_string();
                info!(
                    lock.holders = other,
                    "Another run is under way, waiting for it to end: {other}"
                );
            }
            Ok(Ok(None) | Err(_)) | Err(_) => {
                info!("Another run is under way, waiting for it to end");
            }
        }
    }
}
