//! The ledger, as one run writes to it: under the run lock, and through a connection that is opened
//! again after an outage of the database.

mod begin;
mod locks;
mod retry;
mod upgrade;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tracing::warn;

use super::error::RunError;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::ledger::{Customer, CustomerId, CustomerOutcome, Dataset, Rejection, RowCounts};
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;
use crate::store::{
    DayTotals, DueCustomer, FinishedRun, PartnerListDiff, RunLease, Store, StoreError,
};

pub(super) use begin::{LedgerAccess, mark_interrupted};
pub use retry::DatabaseRetry;
pub(super) use retry::retry_while_away;
pub use upgrade::{Upgrade, UpgradeWait};

/// The ledger, as one run writes to it.
pub(super) struct Ledger {
    store: Store,
    /// None after the connection broke, until the lock has been taken again.
    lock: Option<RunLease>,
    run_id: i64,
    clock: Arc<dyn Clock>,
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

    /// Does `work` under the run lock, and repeats it while the database is away. The second
    /// argument of `work` is whether the connection had to be opened again for this attempt.
    ///
    /// # Errors
    /// When the database refuses or is away for too long, or the run is no longer on record as
    /// under way.
    async fn with_lock<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut RunLease, bool) -> Result<T, StoreError>,
    ) -> Result<T, RunError> {
        let (store, shutdown) = (self.store.clone(), self.shutdown.clone());
        let done = retry_while_away(&store, self.retry, &shutdown, async || {
            // Taken out, so that a connection that failed, or was dropped in the middle of a
            // transaction, is not used again.
            let (mut lock, reconnected) = match self.lock.take() {
                Some(lock) => (lock, false),
                None => (self.take_lock_again().await?, true),
            };
            if reconnected && !lock.is_running(self.run_id).await? {
                lock.release().await;
                return Ok(None);
            }
            let done = work(&mut lock, reconnected).await;
            if matches!(done, Ok(_) | Err(StoreError::Refused { .. })) {
                self.lock = Some(lock);
            }
            done.map(Some)
        })
        .await?;
        done.ok_or(RunError::Superseded)
    }

    async fn take_lock_again(&self) -> Result<RunLease, StoreError> {
        // The lost connection may hold the lock until Postgres notices; another process may hold it
        // until its run ends.
        self.store
            .try_lease_run()
            .await?
            .ok_or(StoreError::TimedOut {
                operation: "taking the run lock again".into(),
            })
    }

    /// Stores a batch of customers, all or none.
    pub(super) async fn record(
        &mut self,
        outcomes: &[CustomerOutcome],
    ) -> Result<Vec<RowCounts>, RunError> {
        let (run_id, clock) = (self.run_id, Arc::clone(&self.clock));
        self.with_lock(async |lock, reconnected| {
            let recorded = if reconnected {
                let ids: Vec<CustomerId> = outcomes.iter().map(CustomerOutcome::id).collect();
                lock.load_recorded(run_id, &ids).await?
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
                None => lock.record(run_id, outcomes, clock.now()).await,
            }
        })
        .await
    }

    /// Records how many customers are on the list.
    pub(super) async fn record_total(&mut self, total: u64) -> Result<(), RunError> {
        let run_id = self.run_id;
        self.with_lock(async |lock, _| lock.record_total(run_id, total).await)
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
            .with_lock(async |lock, _| lock.admit_locale(locale, may_change, now).await)
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
        self.with_lock(async |lock, _| lock.record_partner_list(listed, excluded, now).await)
            .await
    }

    /// Puts customers into the order in which they are due, without those that the run `resumes`
    /// has stored.
    pub(super) async fn load_due(
        &mut self,
        customers: &[CustomerId],
        resumes: Option<i64>,
    ) -> Result<Vec<DueCustomer>, RunError> {
        self.with_lock(async |lock, _| lock.load_due(customers, resumes).await)
            .await
    }

    /// Stores the items of a partner-wide collection that name no customer.
    pub(super) async fn record_strays(
        &mut self,
        dataset: Dataset,
        strays: &[Rejection],
    ) -> Result<(), RunError> {
        let (run_id, now) = (self.run_id, self.clock.now());
        self.with_lock(async |lock, _| lock.record_strays(run_id, dataset, strays, now).await)
            .await
    }

    /// Records the end of the run and releases the lock. Totals of days and statistics are left to
    /// the next run if the database refuses them or goes away meanwhile. `next_date` is that of the
    /// next pass of a dated backfill.
    pub(super) async fn finish(
        mut self,
        end: &FinishedRun,
        next_date: Option<NaiveDate>,
    ) -> Result<(), RunError> {
        let (run_id, shutdown) = (self.run_id, self.shutdown.clone());
        self.with_lock(async |lock, reconnected| {
            if reconnected {
                return lock.finish_run(run_id, end, None).await;
            }
            let totals = DayTotals {
                next_date,
                shutdown: &shutdown,
            };
            match lock.finish_run(run_id, end, Some(totals)).await {
                Err(error @ StoreError::Refused { .. }) => {
                    let error = with_causes(&error);
                    warn!(
                        error,
                        "The totals of days are left to the next run: {error}"
                    );
                    lock.finish_run(run_id, end, None).await
                }
                finished => finished,
            }
        })
        .await?;
        let Some(mut lock) = self.lock.take() else {
            return Ok(());
        };
        if lock.has_new_partition()
            && let Err(error) = lock.analyze().await
        {
            let error = with_causes(&error);
            warn!(error, "The ledger's statistics were not gathered: {error}");
        }
        lock.release().await;
        Ok(())
    }

    /// Records the end of the run and nothing else within `limit`, and regardless of a stop: in
    /// that time, a broken connection is still opened again.
    pub(super) async fn finish_within(
        mut self,
        end: &FinishedRun,
        limit: Duration,
    ) -> Result<(), RunError> {
        self.shutdown = Shutdown::default();
        let run_id = self.run_id;
        let recorded = async {
            self.with_lock(async |lock, _| lock.finish_run(run_id, end, None).await)
                .await?;
            if let Some(lock) = self.lock.take() {
                lock.release().await;
            }
            Ok(())
        };
        tokio::time::timeout(limit, recorded)
            .await
            .unwrap_or(Err(RunError::Stopped))
    }
}
