//! The record of each run, and the lock under which there is one run at a time.
//! The lock lives in the very connection that writes the run's rows: whoever loses the connection
//! loses both at once, and a killed holder's lock is freed by Postgres when its connection ends.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::months::Sets;
use super::names::Names;
use super::partitions::Partitions;
use super::{Store, StoreError, bounded};
use crate::ledger::{CustomerId, RowCounts, TrafficCounts};

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

/// What asked for a run. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunKind {
    /// A tick of the schedule.
    Schedule,
    /// `--backfill`.
    Backfill,
    /// A tick that passed while the daemon was down, or `run_on_start`.
    Startup,
}

impl RunKind {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Backfill => "backfill",
            Self::Startup => "startup",
        }
    }
}

/// A run that begins.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What asked for it.
    pub kind: RunKind,
    /// `customer` or `commercial`.
    pub source: &'static str,
    /// The customers it is restricted to; empty: the whole list.
    pub only: Vec<CustomerId>,
    /// The pass of a dated backfill that it is.
    pub dated: Option<DatedPass>,
    /// The unfinished run that it goes on with.
    pub resumes: Option<i64>,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// One pass of a dated backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedPass {
    /// The processed date asked for.
    pub asked: NaiveDate,
    /// The first date of the backfill.
    pub from: NaiveDate,
    /// The last date of the backfill.
    pub to: NaiveDate,
}

/// How a run ended. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every customer was fetched and stored.
    Succeeded,
    /// Some customers failed.
    Partial,
    /// No customer succeeded, or the run could not go on.
    Failed,
    /// The program was stopped.
    Interrupted,
}

impl RunOutcome {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The end of a run, as it is recorded.
#[derive(Debug, Clone)]
pub struct FinishedRun {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why it could not go on, or what else a person should know.
    pub detail: Option<String>,
    /// Whether it ended before every customer on its list was asked for.
    pub ended_early: bool,
    /// Requests per second that the API was found to allow.
    pub learned_rate: Option<f64>,
    /// When.
    pub finished_at: DateTime<Utc>,
    /// Customers on the list.
    pub customers_total: u64,
    /// Customers stored.
    pub customers_succeeded: u64,
    /// Customers that failed.
    pub customers_failed: u64,
    /// Sums over all customers.
    pub rows: RowCounts,
    /// Calls to the API.
    pub http: TrafficCounts,
}

/// The right to run, and the connection to write through.
#[derive(Debug)]
pub struct RunLock {
    pub(super) connection: PgConnection,
    pub(super) names: Names,
    pub(super) partitions: Partitions,
    pub(super) sets: Sets,
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
            names: Names::default(),
            partitions: Partitions::default(),
            sets: Sets::default(),
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

    /// Marks the runs that a crash left behind. Whoever holds the lock knows that none of them is
    /// alive. Their counts are made up from what they recorded.
    /// Returns how many there were.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn mark_interrupted(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let query = sqlx::query!(
            "
            update sync_run as r
            set outcome = 'interrupted',
                finished_at = greatest($1, r.started_at),
                detail = 'the program ended without finishing this run',
                ended_early = true,
                customers_total = greatest(r.customers_total, s.succeeded + s.failed),
                customers_succeeded = s.succeeded,
                customers_failed = s.failed,
                rows_received = s.received,
                rows_inserted = s.inserted,
                rows_updated = s.updated,
                rows_unchanged = s.unchanged,
                rows_rejected = s.rejected
            from (
                select
                    run.run_id,
                    count(*) filter (where c.outcome = 'succeeded') as succeeded,
                    count(*) filter (where c.outcome = 'failed') as failed,
                    coalesce(sum(c.rows_received), 0)::bigint as received,
                    coalesce(sum(c.rows_inserted), 0)::bigint as inserted,
                    coalesce(sum(c.rows_updated), 0)::bigint as updated,
                    coalesce(sum(c.rows_unchanged), 0)::bigint as unchanged,
                    coalesce(sum(c.rows_rejected), 0)::bigint as rejected
                from sync_run as run
                left join sync_customer as c on c.run_id = run.run_id
                where run.outcome = 'running'
                group by run.run_id
            ) as s
            where r.run_id = s.run_id
            ",
            now
        );
        bounded(
            "marking interrupted runs",
            query.execute(&mut self.connection),
        )
        .await
        .map(|done| done.rows_affected())
    }

    /// Records that a run begins, and returns its id. Customers that only the run before the last
    /// had are brought up to date: the newest two are looked at where there is nothing new to
    /// write of a customer.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn begin_run(&mut self, run: &NewRun) -> Result<i64, StoreError> {
        let only: Option<Vec<Uuid>> =
            (!run.only.is_empty()).then(|| run.only.iter().map(|id| id.as_uuid()).collect());
        let query = sqlx::query_scalar!(
            "
            insert into sync_run (
                kind, source, whole_list, only_customers, asked_date, date_from, date_to, resumes, started_at, outcome,
                newest_processed_date
            )
            values (
                $1, $2, $3, $4, $5, $6, $7, $8, $9, 'running',
                coalesce($5, (select max(processed_date) from ledger_date))
            )
            returning run_id
            ",
            run.kind.as_str(),
            run.source,
            only.is_none(),
            only.as_deref(),
            run.dated.map(|dated| dated.asked),
            run.dated.map(|dated| dated.from),
            run.dated.map(|dated| dated.to),
            run.resumes,
            run.started_at
        );
        bounded("recording the run", async {
            let mut transaction = self.connection.begin().await?;
            sqlx::query!(
                "
                with runs as (
                    select max(run_id) as last, min(run_id) as before
                    from (select run_id from sync_run order by run_id desc limit 2) as newest
                )

                update customer as c
                set last_seen_at = greatest(c.last_seen_at, b.finished_at),
                    last_success_at = b.finished_at
                from runs as r
                inner join sync_customer as b on b.run_id = r.before
                left join sync_customer as l on l.run_id = r.last and l.customer_id = b.customer_id
                where c.customer_id = b.customer_id
                    and r.before < r.last
                    and (l.run_id is null or l.outcome = 'failed')
                    and b.outcome = 'succeeded'
                    and b.finished_at > c.last_success_at
                "
            )
            .execute(&mut *transaction)
            .await?;
            let run_id = query.fetch_one(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(run_id)
        })
        .await
    }

    /// Records how many customers are on the run's list, once that is known.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_total(&mut self, run_id: i64, customers: u64) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "update sync_run set customers_total = $2 where run_id = $1",
            run_id,
            count(customers)
        );
        bounded(
            "recording the length of the list",
            query.execute(&mut self.connection),
        )
        .await
        .map(drop)
    }

    /// Whether the run is still ours to write to, after the lock was lost and taken again.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn is_running(&mut self, run_id: i64) -> Result<bool, StoreError> {
        let query = sqlx::query_scalar!(
            r#"select exists (select from sync_run where run_id = $1 and outcome = 'running') as "running!""#,
            run_id
        );
        bounded("looking the run up", query.fetch_one(&mut self.connection)).await
    }

    /// Records how a run ended.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn finish_run(&mut self, run_id: i64, end: &FinishedRun) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "
            update sync_run
            set outcome = $2,
                detail = $3,
                finished_at = greatest($4, started_at),
                customers_total = $5,
                customers_succeeded = $6,
                customers_failed = $7,
                rows_received = $8,
                rows_inserted = $9,
                rows_updated = $10,
                rows_unchanged = $11,
                rows_rejected = $12,
                http_requests = $13,
                http_retries = $14,
                http_throttled = $15,
                ended_early = $16,
                learned_rate = $17
            where run_id = $1
            ",
            run_id,
            end.outcome.as_str(),
            end.detail,
            end.finished_at,
            count(end.customers_total),
            count(end.customers_succeeded),
            count(end.customers_failed),
            count(end.rows.received),
            count(end.rows.inserted),
            count(end.rows.updated),
            count(end.rows.unchanged),
            count(end.rows.rejected),
            count(end.http.requests),
            count(end.http.retries),
            count(end.http.throttled),
            end.ended_early,
            end.learned_rate
        );
        bounded(
            "recording the run's end",
            query.execute(&mut self.connection),
        )
        .await
        .map(drop)
    }
}

/// Postgres has no unsigned numbers.
pub(super) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as Postgres keeps it.
pub(super) fn uncount(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
