//! What the last runs have left: read in one transaction, for `status`, probes and metrics.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::error::DatabaseError;
use tokio::time::timeout;

use super::consent::{HostConsent, select_consents};
use super::error::StoreError;
use super::lease::{LeaseRecord, LeaseTimes, select_leases};
use super::pool::{Store, from_db};
use super::read::RunRecord;

/// How long the few rows that are read each time may take. A server that takes longer is away.
pub(super) const RUNS_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the figures over all customers may take.
const FIGURES_TIMEOUT: Duration = Duration::from_mins(1);

/// How long the figures hold without a run: the state of a customer depends on the date, too.
const FIGURES_LAST: TimeDelta = TimeDelta::hours(6);

/// What the last runs have left.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// When it was read.
    pub as_of: DateTime<Utc>,
    /// The newest applied migration; none if there are no tables.
    pub schema_version: Option<i64>,
    /// When the first migration was applied: since when there is a ledger.
    pub ledger_since: Option<DateTime<Utc>>,
    /// The newest run over the whole list that has ended; runs for past dates do not count.
    pub last_finished: Option<RunRecord>,
    /// The run over the whole list that is under way.
    pub running: Option<RunRecord>,
    /// When such a run last ended as succeeded or partial.
    pub last_success_at: Option<DateTime<Utc>>,
    /// The consent of every host.
    pub consents: Vec<HostConsent>,
    /// The leases.
    pub leases: Vec<LeaseRecord>,
    /// What takes longer to read; none if the tables are older than this program.
    pub figures: Option<LedgerFigures>,
}

impl Overview {
    /// Items of the last finished run that could not become rows.
    #[must_use]
    pub fn rejected_rows(&self) -> Option<i64> {
        Some(self.last_finished.as_ref()?.rows_rejected)
    }
}

/// Figures over all customers, which change with each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerFigures {
    /// When they were read.
    pub as_of: DateTime<Utc>,
    /// Customers by state.
    pub customers: CustomersByState,
    /// The newest processed date of any customer's usage.
    pub newest_processed_date: Option<NaiveDate>,
    /// The size of the ledger's tables and indexes.
    pub ledger_bytes: i64,
}

/// How many customers are in each state of `customer_freshness`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[expect(
    missing_docs,
    reason = "the states are described at customer_freshness.state"
)]
pub struct CustomersByState {
    pub active: u64,
    pub stale: u64,
    pub failing: u64,
    pub ended: u64,
    pub never_had_usage: u64,
    pub gone: u64,
}

impl CustomersByState {
    /// Each state with its number of customers.
    #[must_use]
    pub fn each(&self) -> [(&'static str, u64); 6] {
        [
            ("active", self.active),
            ("stale", self.stale),
            ("failing", self.failing),
            ("ended", self.ended),
            ("never_had_usage", self.never_had_usage),
            ("gone", self.gone),
        ]
    }
}

impl Store {
    /// Reads all of it, over a connection of the pool.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_overview(&self, now: DateTime<Utc>) -> Result<Overview, StoreError> {
        self.read(OPERATION, async |connection| {
            select_overview(connection, now, None).await
        })
        .await
    }
}

pub(super) const OPERATION: &str = "reading what the last runs have left";

/// Reads it within a transaction that only reads. The figures are those `known` if no further run
/// has ended since they were read.
pub(super) async fn select_overview(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    known: Option<&Overview>,
) -> Result<Overview, sqlx::Error> {
    let mut overview = Overview {
        as_of: now,
        ..Overview::default()
    };
    let read = async {
        // The server gives up shortly after the caller, so that no abandoned query keeps a process
        // busy.
        bound(connection, "3s").await?;
        in_time(RUNS_TIMEOUT, select_runs(connection, &mut overview)).await?;
        overview.figures = known.and_then(|known| known.still_valid(&overview));
        if overview.figures.is_none() {
            bound(connection, "61s").await?;
            let figures = in_time(FIGURES_TIMEOUT, select_figures(connection, now));
            overview.figures = Some(figures.await?);
        }
        Ok(())
    };
    match read.await {
        // The tables are older than this program, or there are none.
        Err(error) if is_undefined(&error) => Ok(overview),
        read => read.map(|()| overview),
    }
}

/// Does `work`, or fails when the `limit` has passed.
pub(super) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
    timeout(limit, work).await.map_err(late)?
}

/// For this transaction only: behind a pooler the next may be another client's.
async fn bound(connection: &mut PgConnection, limit: &str) -> Result<(), sqlx::Error> {
    let bound = format!("set local statement_timeout = '{limit}'");
    let bound = sqlx::raw_sql(sqlx::AssertSqlSafe(bound)).execute(connection);
    in_time(RUNS_TIMEOUT, bound).await.map(drop)
}

fn is_undefined(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("42P01" | "42703" | "42883"))
}

impl Overview {
    /// The figures, unless they may have changed by the time of `newer`.
    fn still_valid(&self, newer: &Self) -> Option<LedgerFigures> {
        let figures = self.figures?;
        let run = |overview: &Self| overview.last_finished.as_ref().map(|run| run.run_id);
        let is_same = run(self) == run(newer) && self.schema_version == newer.schema_version;
        // The distance counts in both directions: the clock may be set back.
        let age = (newer.as_of - figures.as_of).abs();
        (is_same && age < FIGURES_LAST).then_some(figures)
    }
}

async fn select_runs(
    connection: &mut PgConnection,
    overview: &mut Overview,
) -> Result<(), sqlx::Error> {
    (overview.schema_version, overview.ledger_since) =
        sqlx::query_as("select max(version), min(installed_on) from _sqlx_migrations")
            .fetch_one(&mut *connection)
            .await?;
    let rows = sqlx::query!(
        r#"
        with whole as not materialized (
            select run_id, outcome, finished_at
            from sync_run
            where whole_list
                and asked_date is null
        )

        select
            r.run_id, r.kind, r.outcome, r.started_at, r.finished_at, r.detail,
            r.customers_total, r.customers_succeeded, r.customers_failed,
            r.rows_received, r.rows_inserted, r.rows_updated, r.rows_unchanged, r.rows_rejected,
            (
                select finished_at
                from whole
                where outcome in ('succeeded', 'partial')
                order by run_id desc
                limit 1
            ) as last_success_at
        from sync_run as r
        where r.run_id in (
            (
                select run_id
                from whole
                where finished_at is not null
                order by run_id desc
                limit 1
            ),
            (
                select run_id
                from sync_run
                where outcome = 'running'
                    and whole_list
                order by run_id desc
                limit 1
            )
        )
        "#
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        overview.last_success_at = row.last_success_at;
        let run = RunRecord {
            run_id: row.run_id,
            kind: row.kind,
            outcome: row.outcome,
            started_at: row.started_at,
            finished_at: row.finished_at,
            detail: row.detail,
            customers_total: row.customers_total,
            customers_succeeded: row.customers_succeeded,
            customers_failed: row.customers_failed,
            rows_received: row.rows_received,
            rows_inserted: row.rows_inserted,
            rows_updated: row.rows_updated,
            rows_unchanged: row.rows_unchanged,
            rows_rejected: row.rows_rejected,
        };
        if run.finished_at.is_some() {
            overview.last_finished = Some(run);
        } else {
            overview.running = Some(run);
        }
    }
    overview.consents = select_consents(connection).await?;
    overview.leases = select_leases(connection, None, LeaseTimes::default()).await?;
    Ok(())
}

async fn select_figures(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
) -> Result<LedgerFigures, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select
            count(*) filter (where state = 'active') as "active!",
            count(*) filter (where state = 'stale') as "stale!",
            count(*) filter (where state = 'failing') as "failing!",
            count(*) filter (where state = 'ended') as "ended!",
            count(*) filter (where state = 'never_had_usage') as "never_had_usage!",
            count(*) filter (where state = 'gone') as "gone!",
            max(last_processed_date) as newest_processed_date,
            (
                select sum(pg_total_relation_size(t.oid))::bigint
                from pg_class as run
                inner join pg_class as t
                    on t.relnamespace = run.relnamespace
                    and t.relowner = run.relowner
                where run.oid = 'sync_run'::regclass
                    and t.relkind = 'r'
            ) as "ledger_bytes!"
        from customer_freshness
        "#
    )
    .fetch_one(connection)
    .await?;
    Ok(LedgerFigures {
        as_of: now,
        customers: CustomersByState {
            active: from_db(row.active),
            stale: from_db(row.stale),
            failing: from_db(row.failing),
            ended: from_db(row.ended),
            never_had_usage: from_db(row.never_had_usage),
            gone: from_db(row.gone),
        },
        newest_processed_date: row.newest_processed_date,
        ledger_bytes: row.ledger_bytes,
    })
}
