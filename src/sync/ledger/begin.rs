//! The beginning of a run: the run lease, and the run's record. Waits while another run is under
//! way, and says whose it is.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{DatabaseRetry, Ledger, retry_while_away};
use crate::clock::Clock;
use crate::shutdown::Shutdown;
use crate::store::{
    Attempt, Begun, Keeper, Lease, LeaseName, LeaseRecord, NewRun, RunLease, Store, StoreError,
};
use crate::sync::error::RunError;
use crate::sync::report::{Phase, Progress, enter};

/// How often the run lease is tried while another process holds it.
const LEASE_INTERVAL: Duration = Duration::from_millis(500);

/// A holder that has not renewed its lease for this long has missed a renewal.
const RENEWAL_MISSED: Duration = Duration::from_secs(7);

/// How long the look-up of the other run may take. After that, the message is logged without it.
const OTHER_RUN_TIMEOUT: Duration = Duration::from_secs(3);

/// What a run needs to write to the ledger.
pub(in crate::sync) struct LedgerAccess<'a> {
    pub(in crate::sync) store: &'a Store,
    pub(in crate::sync) keeper: &'a Arc<Keeper>,
    pub(in crate::sync) clock: &'a Arc<dyn Clock>,
    pub(in crate::sync) retry: DatabaseRetry,
    pub(in crate::sync) shutdown: &'a Shutdown,
}

/// One attempt to take the run lease.
enum Taken {
    Held(LeaseRecord),
    Began(Arc<Lease>, Box<RunLease>, Begun),
}

impl LedgerAccess<'_> {
    /// Takes the run lease and records that a run begins. While another run is under way it waits,
    /// and shows that in `progress`. If the holder of that run was cut off, this one goes on with
    /// it where it does the same.
    pub(in crate::sync) async fn begin(
        self,
        run: &NewRun,
        progress: &watch::Sender<Progress>,
    ) -> Result<Ledger, RunError> {
        let mut wait = Wait::default();
        loop {
            match self.try_begin(run, &mut wait, progress).await? {
                Taken::Began(lease, run, Begun::Run { run_id, resumes }) => {
                    progress.send_modify(|progress| progress.run_id = Some(run_id));
                    return Ok(Ledger {
                        store: self.store.clone(),
                        keeper: Arc::clone(self.keeper),
                        lease,
                        run: Some(*run),
                        run_id,
                        resumes,
                        was_reopened: false,
                        found: None,
                        clock: Arc::clone(self.clock),
                        progress: progress.clone(),
                        retry: self.retry.in_run,
                        shutdown: Shutdown {
                            forced: CancellationToken::new(),
                            ..self.shutdown.clone()
                        },
                    });
                }
                Taken::Began(_, run, Begun::TickDone(done)) => {
                    run.release().await;
                    return Err(RunError::TickDone(done));
                }
                Taken::Held(holder) => {
                    enter(progress, Phase::WaitingForRun);
                    wait.note(self.store, holder).await;
                }
            }
            let paused = self.shutdown.pause(LEASE_INTERVAL).await;
            paused.map_err(|_| RunError::Stopped)?;
        }
    }

    async fn try_begin(
        &self,
        run: &NewRun,
        wait: &mut Wait,
        progress: &watch::Sender<Progress>,
    ) -> Result<Taken, RunError> {
        let (store, keeper, retry) = (self.store, self.keeper, self.retry.at_start);
        retry_while_away(store, retry, self.shutdown, Some(progress), async || {
            let lease = match keeper.try_acquire(LeaseName::Run).await? {
                Attempt::Held(holder) => return Ok(Taken::Held(holder)),
                Attempt::Acquired(lease) => Arc::new(lease),
            };
            wait.was_cut_off |= wait.has_begun() && lease.previous().is_cut_off();
            let goes_on = wait.was_cut_off;
            let begun = Box::pin(keeper.attend(self.begin_under(&lease, run, goes_on)));
            let (under, begun) = begun.await?;
            Ok(Taken::Began(lease, under, begun))
        })
        .await
    }

    async fn begin_under(
        &self,
        lease: &Arc<Lease>,
        run: &NewRun,
        goes_on: bool,
    ) -> Result<(Box<RunLease>, Begun), StoreError> {
        let mut under = Box::new(self.store.attach(lease).await?);
        mark_interrupted(&mut under, &**self.clock).await?;
        let run = NewRun {
            started_at: self.clock.now(),
            ..run.clone()
        };
        let host = &self.keeper.instance().host;
        let begun = under.begin_run(&run, host, goes_on).await?;
        Ok((under, begun))
    }
}

/// A wait for another run.
#[derive(Default)]
struct Wait {
    /// The holder as it was last found renewed, since when that is so, and whether it is said that
    /// it should have renewed its lease meanwhile.
    holder: Option<(LeaseRecord, Instant, bool)>,
    /// Whether a run that was waited for ended without its holder's giving the lease back.
    was_cut_off: bool,
}

impl Wait {
    fn has_begun(&self) -> bool {
        self.holder.is_some()
    }

    /// Says whom it waits for, and when that one no longer renews its lease.
    async fn note(&mut self, store: &Store, found: LeaseRecord) {
        let Some((known, since, is_said)) = &mut self.holder else {
            log_other_run(store, found.clone()).await;
            self.holder = Some((found, Instant::now(), false));
            return;
        };
        if (known.epoch, known.renewed_at) != (found.epoch, found.renewed_at) {
            self.holder = Some((found, Instant::now(), false));
        } else if !*is_said && since.elapsed() >= RENEWAL_MISSED {
            *is_said = true;
            let host = found.host.as_deref().unwrap_or("unknown");
            let ends = found.expires_at.map(second).unwrap_or_default();
            warn!(
                host,
                expires_at = ends,
                "The other run's process, on host {host}, no longer renews its lease, which ends \
                 at {ends}"
            );
        }
    }
}

fn second(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

async fn log_other_run(store: &Store, holder: LeaseRecord) {
    let asked = tokio::time::timeout(OTHER_RUN_TIMEOUT, store.load_other_run(holder)).await;
    if let Ok(Ok(other)) = asked {
        let other = other.to_string();
        info!(
            lock.holders = other,
            "Another run is under way, waiting for it to end: {other}"
        );
    } else {
        info!("Another run is under way, waiting for it to end");
    }
}

/// Marks the runs that a crash left behind. The lease is held, so none of them is still under way.
pub(in crate::sync) async fn mark_interrupted(
    run: &mut RunLease,
    clock: &dyn Clock,
) -> Result<(), StoreError> {
    match run.mark_interrupted(clock.now()).await? {
        0 => {}
        runs => warn!(runs, "Found a run that was cut off, marked as interrupted"),
    }
    Ok(())
}
