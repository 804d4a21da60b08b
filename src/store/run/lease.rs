//! The connection through which a run writes, under the run lease. Every transaction proves first
//! that the lease is still the run's: a takeover waits for one that is under way, and none of an
//! earlier holder commits after it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection, PgTransaction};

use super::super::batch::{self, Stamp};
use super::super::error::StoreError;
use super::super::lease::{Attempt, Keeper, Lease, LeaseClaim, LeaseName, LeaseRecord, load_loss};
use super::super::pool::{Store, bounded};
use super::super::transaction::begin_write;
use crate::ledger::{CustomerOutcome, Dataset, Rejection, RowCounts};

/// The run lease, and the connection that writes under it.
#[derive(Debug)]
pub struct RunLease {
    pub(in crate::store) connection: PgConnection,
    pub(in crate::store) cache: batch::Cache,
    claim: LeaseClaim,
    /// None in a rehearsal.
    lease: Option<Arc<Lease>>,
}

/// The result of an attempt to take the run lease.
#[derive(Debug)]
pub enum RunAttempt {
    /// No other run is under way.
    Acquired(RunLease),
    /// Another process has a run under way.
    Held(LeaseRecord),
}

impl Store {
    /// Takes the run lease, unless another process has it, and opens the connection that writes.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn try_lease_run(&self, keeper: &Arc<Keeper>) -> Result<RunAttempt, StoreError> {
        match keeper.try_acquire(LeaseName::Run).await? {
            Attempt::Held(record) => Ok(RunAttempt::Held(record)),
            Attempt::Acquired(lease) => {
                let attached = self.attach(&Arc::new(lease)).await?;
                Ok(RunAttempt::Acquired(attached))
            }
        }
    }

    /// Opens a connection that writes under a lease of this process. Whoever takes the lease over
    /// can end it on the server.
    ///
    /// # Errors
    /// When Postgres is away or refuses. [`StoreError::Superseded`] if the lease is lost.
    pub async fn attach(&self, lease: &Arc<Lease>) -> Result<RunLease, StoreError> {
        let connection = self.connect_for_work().await?;
        let mut run = RunLease {
            connection,
            cache: batch::Cache::default(),
            claim: lease.claim(),
            lease: Some(Arc::clone(lease)),
        };
        let claim = run.claim;
        let attach = sqlx::query!(
            "
            update lease
            set writer_pid = pg_backend_pid(),
                writer_started_at = (
                    select backend_start
                    from pg_stat_activity
                    where pid = pg_backend_pid()
                )
            where name = $1
                and epoch = $2
                and holder = $3
            ",
            claim.name,
            claim.epoch,
            claim.holder
        );
        let attached = run.within("opening the run's connection", async |connection| {
            attach.execute(connection).await.map(drop)
        });
        attached.await?;
        Ok(run)
    }
}

impl RunLease {
    /// For a rehearsal: over a connection whose transaction holds the row that `claim` proves.
    pub(in crate::store) fn rehearsed(connection: PgConnection, claim: LeaseClaim) -> Self {
        Self {
            connection,
            cache: batch::Cache::default(),
            claim,
            lease: None,
        }
    }

    /// Closes the connection and gives the lease back.
    pub async fn release(self) {
        // The server frees what the connection holds only once it has noticed its end.
        let _closed = bounded("closing the run's connection", self.connection.close()).await;
        if let Some(lease) = self.lease {
            lease.resign().await;
        }
    }

    /// The lease.
    #[must_use]
    pub fn lease(&self) -> Option<&Arc<Lease>> {
        self.lease.as_ref()
    }

    /// Begins a transaction and proves in it that the lease is still the run's. What has been
    /// looked up comes with it.
    ///
    /// # Errors
    /// When Postgres is away or refuses. [`StoreError::Superseded`] if the lease is lost.
    pub(in crate::store) async fn begin(
        &mut self,
        operation: &'static str,
    ) -> Result<(PgTransaction<'_>, &mut batch::Cache), StoreError> {
        let claim = self.claim;
        let proof = sqlx::query_scalar!(
            r#"
            select true as "held!"
            from lease
            where name = $1
                and epoch = $2
                and holder = $3
            for key share
            "#,
            claim.name,
            claim.epoch,
            claim.holder
        );
        // Boxed, because every future that contains this large one would become as large.
        let begun = Box::pin(async {
            let mut transaction = begin_write(&mut self.connection).await?;
            let proven = proof.fetch_optional(&mut *transaction).await?;
            Ok((transaction, proven.is_some()))
        });
        let (transaction, proven) = bounded(operation, begun).await?;
        if proven {
            return Ok((transaction, &mut self.cache));
        }
        let loss = Box::pin(load_loss(transaction, claim.epoch));
        let loss = bounded("asking who has taken over", loss).await?;
        Err(StoreError::Superseded(Box::new(loss)))
    }

    /// Does `work` in a transaction of its own.
    ///
    /// # Errors
    /// When Postgres is away or refuses. [`StoreError::Superseded`] if the lease is lost.
    pub(in crate::store) async fn within<T>(
        &mut self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        let (mut transaction, _) = self.begin(operation).await?;
        let done = Box::pin(async {
            let done = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok(done)
        });
        bounded(operation, done).await
    }

    /// Stores all of `outcomes` or none, in one transaction. No customer may occur twice.
    /// Returns what became of the rows, in the order of `outcomes`.
    ///
    /// # Errors
    /// When Postgres is away or refuses; nothing is stored then, unless the connection broke while
    /// it was being committed: see [`RunLease::load_recorded`].
    pub async fn record(
        &mut self,
        run_id: i64,
        outcomes: &[CustomerOutcome],
        now: DateTime<Utc>,
    ) -> Result<Vec<RowCounts>, StoreError> {
        const OPERATION: &str = "storing customers";
        let stamp = Stamp { run_id, now };
        let (mut transaction, cache) = self.begin(OPERATION).await?;
        let recorded = Box::pin(async {
            let counts = batch::record(&mut transaction, cache, outcomes, stamp).await?;
            transaction.commit().await?;
            Ok(counts)
        });
        let recorded = bounded(OPERATION, recorded).await;
        if recorded.is_err() {
            // It may hold what the transaction inserted and rolled back.
            self.cache = batch::Cache::default();
        }
        recorded
    }

    /// Stores the items of a partner-wide collection that name no customer. Pass all of a run's at
    /// once; a repetition, after a connection broke during the commit, stores nothing.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_strays(
        &mut self,
        run_id: i64,
        dataset: Dataset,
        strays: &[Rejection],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let stamp = Stamp { run_id, now };
        self.within("storing rejected items", async |connection| {
            batch::record_strays(connection, dataset, strays, stamp).await
        })
        .await
    }
}
