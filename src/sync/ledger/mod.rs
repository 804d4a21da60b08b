//! The ledger, as one run writes to it: under the run lease, and through a connection that is
//! opened again after an outage of the database.

mod begin;
mod locks;
mod retry;
mod upgrade;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tokio::sync::watch;
use tracing::warn;

use super::error::RunError;
use super::report::Progress;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::ledger::{Customer, CustomerId, CustomerOutcome, Dataset, Rejection, RowCounts};
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;
use crate::store::{
    DayTotals, DueCustomer, FinishedRun, Keeper, Lease, Loss, PartnerListDiff, RunLease, Store,
    StoreError,
};

use locks::lost_session;

pub(super) use begin::{LedgerAccess, mark_interrupted};
pub use retry::DatabaseRetry;
pub(super) use retry::retry_while_away;
pub use upgrade::{Upgrade, UpgradeWait};

/// The ledger, as one run writes to it.
pub(super) struct Ledger {
    store: Store,
    keeper: Arc<Keeper>,
    lease: Arc<Lease>,
    /// None after the connection broke, until another has been opened.
    run: Option<RunLease>,
    run_id: i64,
    resumes: Option<i64>,
    /// Whether the connection was opened again, perhaps to another server.
    was_reopened: bool,
    /// The outcome that was then on record, if the run was no longer under way.
    found: Option<String>,
    clock: Arc<dyn Clock>,
    progress: watch::Sender<Progress>,
    /// How long a database that is away is waited for.
    retry: RetryPolicy,
    /// A graceful stop ends the wait for a database that is away. A forced stop does not end a
    /// write under way: the run grants it a last moment.
    shutdown: Shutdown,
}

impl Ledger {
    pub(super) fn run_id(&self) -> i64 {
        self.run_id
    }

    /// The unfinished run that this one resumes.
    pub(super) fn resumes(&self) -> Option<i64> {
        self.resumes
    }

    /// The lease under which the run writes.
    pub(super) fn lease(&self) -> Arc<Lease> {
        Arc::clone(&self.lease)
    }

    /// Does `work` under the run lease, and repeats it while the database is away. The second
    /// argument of `work` is whether the connection had to be opened again for this attempt.
    ///
    /// # Errors
    /// When the database refuses or is away for too long, the lease is lost, or the run is no
    /// longer on record as under way.
    async fn under_lease<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut RunLease, bool) -> Result<T, StoreError>,
    ) -> Result<T, RunError> {
        let (store, shutdown) = (self.store.clone(), self.shutdown.clone());
        let progress = self.progress.clone();
        let done = retry_while_away(&store, self.retry, &shutdown, Some(&progress), async || {
            if let Some(loss) = self.lease.loss() {
                return Err(StoreError::Superseded(Box::new(loss.clone())));
            }
            // Taken out, so that a connection that failed, or was dropped in the middle of a
            // transaction, is not used again.
            let (mut run, reopened) = match self.run.take() {
                Some(run) => (run, false),
                None => (self.attach_again().await?, true),
            };
            self.was_reopened |= reopened;
            if reopened {
                let outcome = run.load_outcome(self.run_id).await?;
                if outcome.as_deref() != Some("running") {
                    self.found = outcome;
                    run.release().await;
                    return Ok(None);
                }
            }
            let attended = Box::pin(self.keeper.attend(work(&mut run, reopened)));
            let done = tokio::select! {
                biased;
                done = attended => done,
                loss = lost(&self.lease) => Err(StoreError::Superseded(Box::new(loss))),
                () = Box::pin(lost_session(&self.store)) => Err(StoreError::TimedOut {
                    operation: "the run's session has ended, and another is opened".into(),
                }),
            };
            if matches!(done, Ok(_) | Err(StoreError::Refused { .. })) {
                self.run = Some(run);
            }
            done.map(Some)
        })
        .await?;
        done.ok_or(RunError::Unrecorded)
    }

    async fn attach_again(&self) -> Result<RunLease, StoreError> {
        let attached = self.keeper.attend(self.store.attach(&self.lease));
        Box::pin(attached).await
    }

    /// Stores a batch of customers, all or none.
    pub(super) async fn record(
        &mut self,
        outcomes: &[CustomerOutcome],
    ) -> Result<Vec<RowCounts>, RunError> {
        let (run_id, clock) = (self.run_id, Arc::clone(&self.clock));
        self.under_lease(async |run, reopened| {
            let recorded = if reopened {
                let ids: Vec<CustomerId> = outcomes.iter().map(CustomerOutcome::id).collect();
                run.load_recorded(run_id, &ids).await?
            } else {
                HashMap::new()
            };
            // Committed before the connection broke: a batch is there as a whole or not at all.
            let committed: Option<Vec<RowCounts>> = outcomes
                .iter()
                .map(|outcome| recorded.get(&outcome.id()).copied())
                .collect();
            match committed {
                Some(counts) => Ok(counts),
                None => run.record(run_id, outcomes, clock.now()).await,
            }
        })
        .await
    }

    /// Records how many customers are on the list.
    pub(super) async fn record_total(&mut self, total: u64) -> Result<(), RunError> {
        let run_id = self.run_id;
        self.under_lease(async |run, _| run.record_total(run_id, total).await)
            .await
    }

    /// Makes sure that names are requested in the ledger's locale.
    pub(super) async fn admit_locale(
        &mut self,
        locale: &str,
        may_change: bool,
    ) -> Result<(), RunError> {
        let now = self.clock.now();
        let known = self
            .under_lease(async |run, _| run.admit_locale(locale, may_change, now).await)
            .await?;
        match known {
            None => Ok(()),
            Some(known) => Err(RunError::Locale {
                known,
                asked: locale.to_owned(),
            }),
        }
    }

    /// Records which customers have left the partner's list and which have returned to it.
    pub(super) async fn record_partner_list(
        &mut self,
        listed: &[Customer],
        excluded: &HashSet<CustomerId>,
    ) -> Result<PartnerListDiff, RunError> {
        let now = self.clock.now();
        self.under_lease(async |run, _| run.record_partner_list(listed, excluded, now).await)
            .await
    }

    /// Puts customers into the order in which they are due, without those that the resumed run has
    /// stored.
    pub(super) async fn load_due(
        &mut self,
        customers: &[CustomerId],
    ) -> Result<Vec<DueCustomer>, RunError> {
        let resumes = self.resumes;
        self.under_lease(async |run, _| run.load_due(customers, resumes).await)
            .await
    }

    /// Stores the items of a partner-wide collection that name no customer.
    pub(super) async fn record_strays(
        &mut self,
        dataset: Dataset,
        strays: &[Rejection],
    ) -> Result<(), RunError> {
        let (run_id, now) = (self.run_id, self.clock.now());
        self.under_lease(async |run, _| run.record_strays(run_id, dataset, strays, now).await)
            .await
    }

    /// Whether the connection was opened again, perhaps to another server.
    pub(super) fn was_reopened(&self) -> bool {
        self.was_reopened
    }

    /// Which of `customers` the run has not on record.
    pub(super) async fn load_lost(
        &mut self,
        customers: &[CustomerId],
    ) -> Result<Vec<CustomerId>, RunError> {
        let run_id = self.run_id;
        self.under_lease(async |run, _| {
            let recorded = run.load_recorded(run_id, customers).await?;
            let lost = customers.iter().filter(|id| !recorded.contains_key(id));
            Ok(lost.copied().collect())
        })
        .await
    }

    /// Records the end of the run and gives the lease back. Totals of days and statistics are left
    /// to the next run if the database refuses them or goes away meanwhile. `next_date` is that of
    /// the next pass of a dated backfill.
    pub(super) async fn finish(
        mut self,
        end: &FinishedRun,
        next_date: Option<NaiveDate>,
    ) -> Result<(), RunError> {
        let (run_id, shutdown) = (self.run_id, self.shutdown.clone());
        let finished = self.under_lease(async |run, reopened| {
            if reopened {
                return run.finish_run(run_id, end, None).await;
            }
            let totals = DayTotals {
                next_date,
                shutdown: &shutdown,
            };
            match run.finish_run(run_id, end, Some(totals)).await {
                Err(error @ StoreError::Refused { .. }) => {
                    let error = with_causes(&error);
                    warn!(
                        error,
                        "The totals of days are left to the next run: {error}"
                    );
                    run.finish_run(run_id, end, None).await
                }
                finished => finished,
            }
        });
        let finished = finished.await;
        self.unless_recorded(end, finished)?;
        let Some(mut run) = self.run.take() else {
            return Ok(());
        };
        if run.has_new_partition()
            && let Err(error) = run.analyze().await
        {
            let error = with_causes(&error);
            warn!(error, "The ledger's statistics were not gathered: {error}");
        }
        run.release().await;
        Ok(())
    }

    /// The result of recording the end, which may have been committed before the connection broke:
    /// under its lease nobody else records an end of this run.
    fn unless_recorded(
        &self,
        end: &FinishedRun,
        finished: Result<(), RunError>,
    ) -> Result<(), RunError> {
        match finished {
            Err(RunError::Unrecorded) if self.found.as_deref() == Some(end.outcome.as_str()) => {
                Ok(())
            }
            finished => finished,
        }
    }

    /// Records the end of the run and nothing else within `limit`, and regardless of a stop: in
    /// that time, a broken connection is still opened again.
    pub(super) async fn finish_within(
        mut self,
        end: &FinishedRun,
        limit: Duration,
    ) -> Result<(), RunError> {
        self.shutdown = Shutdown {
            pulse: self.shutdown.pulse.clone(),
            ..Shutdown::default()
        };
        let run_id = self.run_id;
        let recorded = async {
            let finished = self
                .under_lease(async |run, _| run.finish_run(run_id, end, None).await)
                .await;
            self.unless_recorded(end, finished)?;
            if let Some(run) = self.run.take() {
                run.release().await;
            }
            Ok(())
        };
        tokio::time::timeout(limit, recorded)
            .await
            .unwrap_or(Err(RunError::Stopped))
    }
}

/// Completes when another process has taken over.
pub(super) async fn lost(lease: &Lease) -> Loss {
    lease.lost().cancelled().await;
    match lease.loss() {
        Some(loss) => loss.clone(),
        // It is set before.
        None => std::future::pending().await,
    }
}
