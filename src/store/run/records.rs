//! The record of each run.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::pool::{bounded, from_db, to_db};
use super::end::DayTotals;
use super::lease::RunLease;
use crate::ledger::{CustomerId, RowCounts, TrafficCounts};

/// What started a run.
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

/// A run that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What started it.
    pub kind: RunKind,
    /// `customer` or `commercial`.
    pub source: &'static str,
    /// The customers it is restricted to; empty: the whole list.
    pub only: Vec<CustomerId>,
    /// Its part of a dated backfill.
    pub dated: Option<DatedPass>,
    /// The unfinished run that it resumes.
    pub resumes: Option<i64>,
    /// The moment of the schedule that it is for; none: it is not for a tick.
    pub tick: Option<DateTime<Utc>>,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// One pass of a dated backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedPass {
    /// The processed date to request.
    pub asked: NaiveDate,
    /// The first date of the backfill.
    pub from: NaiveDate,
    /// The last date of the backfill.
    pub to: NaiveDate,
    /// The date of the pass that follows; none for the last pass.
    pub next: Option<NaiveDate>,
}

/// How a run ended.
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
    /// Why it could not go on, or what else the operator should know.
    pub detail: Option<String>,
    /// Whether it ended before it had requested every customer on its list.
    pub ended_early: bool,
    /// The requests per second that the API was found to allow.
    pub learned_rate: Option<f64>,
    /// When it ended.
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

impl RunLease {
    /// Marks runs that a crash left behind as interrupted: while this process holds the lease, no
    /// other run can be under way. Their counts are the sums of what they recorded.
    /// Returns how many there were.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn mark_interrupted(&mut self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let query = sqlx::query!(
            "
            with ended as materialized (
                select run_id
                from sync_run
                where outcome = 'running'
            ),

            recorded as materialized (
                select
                    c.run_id,
                    count(*) filter (where c.outcome = 'succeeded') as succeeded,
                    count(*) filter (where c.outcome = 'failed') as failed,
                    sum(c.rows_received)::bigint as received,
                    sum(c.rows_inserted)::bigint as inserted,
                    sum(c.rows_updated)::bigint as updated,
                    sum(c.rows_unchanged)::bigint as unchanged,
                    sum(c.rows_rejected)::bigint as rejected
                from sync_customer as c
                where c.run_id in (select run_id from ended)
                group by c.run_id
            )

            update sync_run as r
            set outcome = 'interrupted',
                finished_at = greatest($1, r.started_at),
                detail = 'the program ended without finishing this run',
                ended_early = true,
                customers_total
                    = greatest(r.customers_total, coalesce(s.succeeded + s.failed, 0)),
                customers_succeeded = coalesce(s.succeeded, 0),
                customers_failed = coalesce(s.failed, 0),
                rows_received = coalesce(s.received, 0),
                rows_inserted = coalesce(s.inserted, 0),
                rows_updated = coalesce(s.updated, 0),
                rows_unchanged = coalesce(s.unchanged, 0),
                rows_rejected = coalesce(s.rejected, 0)
            from ended as e
            left join recorded as s on s.run_id = e.run_id
            where r.run_id = e.run_id
            ",
            now
        );
        self.within("marking interrupted runs", async |connection| {
            Ok(query.execute(connection).await?.rows_affected())
        })
        .await
    }

    /// Records how many customers are on the run's list.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_total(&mut self, run_id: i64, customers: u64) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "update sync_run set customers_total = $2 where run_id = $1",
            run_id,
            to_db(customers)
        );
        self.within("recording the length of the list", async |connection| {
            query.execute(connection).await.map(drop)
        })
        .await
    }

    /// The run's outcome on record; none if it is not on record. Ask after the connection was lost
    /// and opened again, perhaps to another server.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_outcome(&mut self, run_id: i64) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar!(
            "
            select outcome
            from sync_run
            where run_id = $1
            ",
            run_id
        );
        self.within("looking the run up", async |connection| {
            query.fetch_optional(connection).await
        })
        .await
    }

    /// Records how a run ended and, in the same transaction, computes the `totals` of days.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn finish_run(
        &mut self,
        run_id: i64,
        end: &FinishedRun,
        totals: Option<DayTotals<'_>>,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "recording the run's end";
        let (mut transaction, cache) = self.begin(OPERATION).await?;
        if let Some(totals) = totals {
            // A further pass under the same lease may bring rows of days that are removed here.
            cache.forget_marked_days();
            totals.refresh(&mut transaction).await?;
        }
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
            to_db(end.customers_total),
            to_db(end.customers_succeeded),
            to_db(end.customers_failed),
            to_db(end.rows.received),
            to_db(end.rows.inserted),
            to_db(end.rows.updated),
            to_db(end.rows.unchanged),
            to_db(end.rows.rejected),
            to_db(end.http.requests),
            to_db(end.http.retries),
            to_db(end.http.throttled),
            end.ended_early,
            end.learned_rate
        );
        bounded(OPERATION, async {
            query.execute(&mut *transaction).await?;
            transaction.commit().await
        })
        .await
    }

    /// Which of `customers` the run has recorded, with their counts. Ask after the connection
    /// broke, when it is unknown whether the last transaction was committed.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_recorded(
        &mut self,
        run_id: i64,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, RowCounts>, StoreError> {
        let ids: Vec<Uuid> = customers.iter().map(|id| id.as_uuid()).collect();
        let query = sqlx::query!(
            "
            select
                customer_id,
                rows_received,
                rows_inserted,
                rows_updated,
                rows_unchanged,
                rows_rejected
            from sync_customer
            where run_id = $1
                and customer_id = any($2)
            ",
            run_id,
            &ids
        );
        let rows = self.within("looking customers up", async |connection| {
            query.fetch_all(connection).await
        });
        let rows = rows.await?;
        let recorded = rows.into_iter().map(|row| {
            let counts = RowCounts {
                received: from_db(row.rows_received),
                inserted: from_db(row.rows_inserted),
                updated: from_db(row.rows_updated),
                unchanged: from_db(row.rows_unchanged),
                rejected: from_db(row.rows_rejected),
            };
            (CustomerId::from(row.customer_id), counts)
        });
        Ok(recorded.collect())
    }
}
