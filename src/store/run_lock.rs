//! The lock under which there is one run at a time.
//! It lives in the very connection that writes the run's rows: whoever loses the connection loses
//! both at once, and a killed holder's lock is freed by Postgres when its connection ends.

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};

use super::batch::{self, Stamp};
use super::{Store, StoreError, bounded};
use crate::ledger::{CustomerOutcome, Dataset, Rejection, RowCounts};

/// What a run's connection needs, whatever the server's or the role's defaults are:
/// - what is recorded as stored survives a crash of the server;
/// - plans are made for the arrays at hand: a plan for any array takes them for short ones, and is
///   quadratic for long;
/// - no plan is compiled: that costs more than it saves for a batch;
/// - a statement ends on the server when we stop waiting for it;
/// - the server notices within a minute that a holder's machine is gone;
/// - triggers know that what else has to be kept of rows is kept by us.
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

/// The right to run, and the connection to write through.
#[derive(Debug)]
pub struct RunLock {
    pub(super) connection: PgConnection,
    cache: batch::Cache,
}

impl Store {
    /// Takes the right to run, unless another process has it.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn try_lock_run(&self) -> Result<Option<RunLock>, StoreError> {
        let mut connection = self.connect_for_work().await?;
        let locked = bounded("taking the run lock", async {
            sqlx::raw_sql(SESSION).execute(&mut connection).await?;
            // The lock is per schema, so that two ledgers in one database do not wait for each
            // other.
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
            Ok(Some(RunLock::over(connection)))
        } else {
            let _closed = connection.close().await;
            Ok(None)
        }
    }
}

impl RunLock {
    /// The connection of a run, of whose ledger nothing is known yet.
    pub(super) fn over(connection: PgConnection) -> Self {
        Self {
            connection,
            cache: batch::Cache::default(),
        }
    }

    /// Gives the right to run back.
    pub async fn release(mut self) {
        // Closing frees the lock too, but only once the server has noticed; a next run need not
        // wait for that.
        let unlock = sqlx::raw_sql("select pg_advisory_unlock_all()").execute(&mut self.connection);
        let _unlocked = bounded("giving the run lock back", unlock).await;
        let _closed = self.connection.close().await;
    }

    /// Stores all of `outcomes` or none. No customer may be among them twice.
    /// Returns what became of the rows, in the order of `outcomes`.
    ///
    /// # Errors
    /// When Postgres is away or refuses; nothing is stored then, unless the connection broke while
    /// it was being committed: see [`RunLock::load_recorded`].
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
            // What was learned within the transaction may have gone with it.
            self.cache = batch::Cache::default();
        }
        recorded
    }

    /// Keeps the items of a partner-wide collection that name no customer, all of a run's at once
    /// and once only: after a connection broke nobody knows whether they are there already.
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
