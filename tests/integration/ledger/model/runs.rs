//! Runs, written through the library's store at moments that the test chooses, and cut off by a
//! lost connection where the history says so.

use chrono::{DateTime, Duration, NaiveDate, TimeZone as _, Utc};
use futures_util::future::join;
use seatledger::config;
use seatledger::ledger::{Customer, CustomerOutcome, Row as _, RowCounts, Source, TrafficCounts};
use seatledger::shutdown::Shutdown;
use seatledger::store::{
    DatedPass, DayTotals, FinishedRun, NewRun, RunKind, RunOutcome, Store, StoreError,
};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::sql;
use crate::support::{Database, begin, lease_run, until};

/// The ledger of one history.
pub(super) struct Ledger {
    pub(super) pool: PgPool,
    store: Store,
    now: DateTime<Utc>,
    database: Database,
}

/// What a run is to do.
pub(super) struct RunPlan {
    pub(super) source: Source,
    pub(super) dated: Option<DatedPass>,
    /// The partner's list, if the run fetches it.
    pub(super) listed: Option<Vec<Customer>>,
    pub(super) batches: Vec<Vec<CustomerOutcome>>,
    pub(super) cut: Option<Cut>,
    /// Whether it was stopped, so that its end computes no totals of days.
    pub(super) is_interrupted: bool,
}

/// Where the connection of a run is lost.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    /// While a batch is being stored, so that nothing of it is.
    InBatch(usize),
    /// After a batch, before the next.
    AfterBatch(usize),
    /// While the end is being recorded.
    InEnd,
}

impl Ledger {
    pub(super) async fn new() -> Self {
        let database = Database::migrated().await;
        let folder = std::env::temp_dir();
        let settings = config::Database::try_new(&database.url(), &folder, 2).unwrap();
        let ledger = Self {
            pool: database.pool(),
            store: Store::new(&settings).unwrap(),
            now: Utc.with_ymd_and_hms(2025, 3, 1, 0, 0, 0).unwrap(),
            database,
        };
        ledger.execute(&sql("schema")).await;
        ledger
    }

    pub(super) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Executes a statement of another writer. If it would store a row twice, nothing happens.
    pub(super) async fn write(&self, sql: &str) {
        let mut connection = self.pool.acquire().await.unwrap();
        let written = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut *connection)
            .await;
        if let Err(error) = written {
            let database = error.as_database_error();
            let is_double = database.is_some_and(sqlx::error::DatabaseError::is_unique_violation);
            assert!(is_double, "{sql}: {error}");
            let rollback = sqlx::raw_sql("rollback").execute(&mut *connection);
            rollback.await.unwrap();
        }
    }

    /// Sets the clock to this day at least, as runs of that day see it.
    pub(super) fn begin_day(&mut self, day: NaiveDate) {
        self.now = self.now.max(day.and_hms_opt(4, 0, 0).unwrap().and_utc());
    }

    /// The next moment.
    pub(super) fn tick(&mut self) -> DateTime<Utc> {
        self.now += Duration::seconds(7);
        self.now
    }

    /// Does a run, to its end or to where it is cut. `stored` is called after each batch.
    pub(super) async fn run(
        &mut self,
        plan: RunPlan,
        mut stored: impl AsyncFnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let mut lock = lease_run(&self.store).await;
        lock.mark_interrupted(self.tick()).await.unwrap();
        let new = NewRun {
            kind: RunKind::Backfill,
            source: plan.source.as_str(),
            only: Vec::new(),
            dated: plan.dated,
            resumes: None,
            tick: None,
            started_at: self.tick(),
        };
        let run_id = begin(&mut lock, &new).await;
        if let Some(listed) = &plan.listed {
            let now = self.tick();
            let excluded = std::collections::HashSet::new();
            lock.record_partner_list(listed, &excluded, now)
                .await
                .unwrap();
        }
        let outcomes = || plan.batches.iter().flatten();
        let total = outcomes().count() as u64;
        lock.record_total(run_id, total).await.unwrap();
        for (number, batch) in plan.batches.iter().enumerate() {
            let now = self.tick();
            match plan.cut {
                Some(Cut::InBatch(cut)) if cut == number => {
                    let lost = self.lose("sync_customer", lock.record(run_id, batch, now));
                    lost.await.unwrap_err();
                    return Ok(());
                }
                _ => drop(lock.record(run_id, batch, now).await.unwrap()),
            }
            self.see_batch(run_id, batch).await;
            stored().await?;
            if matches!(plan.cut, Some(Cut::AfterBatch(cut)) if cut == number) {
                lock.release().await;
                return Ok(());
            }
        }
        let failed = outcomes()
            .filter(|outcome| outcome.failure.is_some())
            .count() as u64;
        let end = FinishedRun {
            outcome: match failed {
                _ if plan.is_interrupted => RunOutcome::Interrupted,
                0 => RunOutcome::Succeeded,
                all if all == total => RunOutcome::Failed,
                _ => RunOutcome::Partial,
            },
            detail: None,
            ended_early: false,
            learned_rate: None,
            finished_at: self.tick(),
            customers_total: total,
            customers_succeeded: total - failed,
            customers_failed: failed,
            rows: RowCounts::default(),
            http: TrafficCounts::default(),
        };
        let shutdown = Shutdown::default();
        let totals = (!plan.is_interrupted).then_some(DayTotals {
            next_date: plan.dated.and_then(|pass| pass.next),
            shutdown: &shutdown,
        });
        let ended = lock.finish_run(run_id, &end, totals);
        if matches!(plan.cut, Some(Cut::InEnd)) {
            let lost = self.lose("sync_run", ended);
            lost.await.unwrap_err();
            return Ok(());
        }
        ended.await.unwrap();
        lock.release().await;
        Ok(())
    }

    /// Does `work` until it waits for this table, and then ends its connection.
    async fn lose<T>(
        &self,
        table: &str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let mut holder = self.pool.begin().await.unwrap();
        let lock = format!("lock table {table} in share mode");
        sqlx::raw_sql(AssertSqlSafe(lock))
            .execute(&mut *holder)
            .await
            .unwrap();
        let cut = async {
            until("the run waits for the table", async || {
                let ended: Option<bool> = sqlx::query_scalar(
                    "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and wait_event_type = 'Lock'",
                )
                .fetch_optional(&self.pool)
                .await
                .unwrap();
                ended
            })
            .await;
        };
        let (lost, ()) = join(work, cut).await;
        holder.rollback().await.unwrap();
        lost
    }

    /// Records what a stored batch brought.
    async fn see_batch(&self, run_id: i64, batch: &[CustomerOutcome]) {
        self.see(batch).await;
        let usage = batch.iter().flat_map(|outcome| &outcome.usage.rows);
        let workloads = usage.clone().map(|row| {
            let code = row.workload_code.as_deref();
            (
                "workload",
                code,
                &row.key.workload_name,
                row.processed_date_time(),
            )
        });
        let products = usage.map(|row| {
            let id = row.attributes().product_id.as_deref();
            (
                "product",
                id,
                &row.key.product_name,
                row.processed_date_time(),
            )
        });
        let deployment = batch.iter().flat_map(|outcome| &outcome.deployment.rows);
        let deployed = deployment.map(|row| {
            let id = row.attributes().product_id.as_deref();
            (
                "product",
                id,
                &row.key.product_name,
                row.processed_date_time(),
            )
        });
        let chained = products.chain(workloads).chain(deployed);
        let brought: Vec<_> = chained.filter(|(_, id, ..)| id.is_some()).collect();
        let kinds: Vec<&str> = brought.iter().map(|name| name.0).collect();
        let ids: Vec<Option<&str>> = brought.iter().map(|name| name.1).collect();
        let names: Vec<&str> = brought.iter().map(|name| name.2.as_str()).collect();
        let dates: Vec<DateTime<Utc>> = brought.iter().map(|name| name.3).collect();
        sqlx::query(AssertSqlSafe(sql("see_names")))
            .bind(&kinds)
            .bind(&ids)
            .bind(&names)
            .bind(&dates)
            .bind(run_id)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Records which collections and dates are in the ledger since the last call: from the outcomes
    /// of this batch on or, for rows of another writer, since they say that they were stored.
    pub(super) async fn see(&self, batch: &[CustomerOutcome]) {
        let customers: Vec<Uuid> = batch.iter().map(|o| o.id().as_uuid()).collect();
        let moments: Vec<DateTime<Utc>> = batch.iter().map(|o| o.finished_at).collect();
        for statement in ["see_usage", "see_deployment"] {
            sqlx::query(AssertSqlSafe(sql(statement)))
                .bind(&customers)
                .bind(&moments)
                .execute(&self.pool)
                .await
                .unwrap();
        }
    }

    /// Deletes the database. Dropping it would block the thread, and Postgres does not delete a
    /// database before the runs of other histories have sent the rows of their COPY.
    pub(super) async fn delete(self) {
        self.database.delete().await;
    }
}
