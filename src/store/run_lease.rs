//! The lock that allows one run at a time per ledger. It is an advisory lock of the connection that
//! writes the run's rows: a process that loses the connection can neither write nor hold the lock,
//! and Postgres frees a killed process's lock when its connection ends.

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};

use super::batch::{self, Stamp};
use super::error::StoreError;
use super::pool::{Store, bounded};
use crate::ledger::{CustomerOutcome, Dataset, Rejection, RowCounts};

/// The settings of a run's connection, whatever the defaults of the server or the role are:
/// - `synchronous_commit`: what is recorded as stored survives a crash of the server;
/// - `force_custom_plan`: a generic plan assumes short arrays and is quadratic for a batch's;
/// - `jit`: compiling a plan costs more than it saves for a batch;
/// - `statement_timeout`: a statement ends on the server when the program stops waiting for it;
/// - `tcp_keepalives_*`: the server notices within a minute that the program's machine is gone;
/// - `seatledger.keeps_months`: the triggers for other writers leave the run's rows alone.
pub(super) const SESSION: &str = "
    set synchronous_commit = on;
    set plan_cache_mode = force_custom_plan;
    set jit = off;
    set statement_timeout = '2min';
    set tcp_keepalives_idle = 30;
    set tcp_keepalives_interval = 10;
    set tcp_keepalives_count = 3;
    set seatledger.keeps_months = on
";

/// The run lock, and the connection that holds it and writes.
#[derive(Debug)]
pub struct RunLease {
    pub(super) connection: PgConnection,
    pub(super) cache: batch::Cache,
}

impl Store {
    /// Takes the run lock, unless another process has it.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn try_lease_run(&self) -> Result<Option<RunLease>, StoreError> {
        let mut connection = self.connect_for_work().await?;
        let locked = bounded("taking the run lock", async {
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            // Per schema, so that two ledgers in one database do not wait for each other.
            sqlx::query_scalar!(
                r#"
                select pg_try_advisory_lock(
                    hashtextextended('seatledger run in ' || coalesce(current_schema(), ''), 0)
                ) as "locked!"
                "#
            )
            .fetch_one(&mut connection)
            .await
        })
        .await?;
        if locked {
            Ok(Some(RunLease::over(connection)))
        } else {
            let _closed = connection.close().await;
            Ok(None)
        }
    }
}

impl RunLease {
    /// Over a connection that holds the lock.
    pub(super) fn over(connection: PgConnection) -> Self {
        Self {
            connection,
            cache: batch::Cache::default(),
        }
    }

    /// Releases the lock and closes the connection.
    pub async fn release(mut self) {
        // Closing the connection frees the lock, too, but only once the server has noticed it.
        let unlock = sqlx::raw_sql("select pg_advisory_unlock_all()").execute(&mut self.connection);
        let _unlocked = bounded("giving the run lock back", unlock).await;
        let _closed = self.connection.close().await;
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
        let stamp = Stamp { run_id, now };
        let recorded = bounded(
            "storing customers",
            batch::record(&mut self.connection, &mut self.cache, outcomes, stamp),
        )
        .await;
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
        bounded(
            "storing rejected items",
            batch::record_strays(&mut self.connection, dataset, strays, stamp),
        )
        .await
    }
}
