//! The list of runs, and one run with its failures and the items that it rejected.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use super::query::TableQuery;
use crate::ledger::CustomerId;

/// The columns of a run that pages and files have.
macro_rules! select_runs {
    () => {
        "\
select run_id, kind, source, outcome, started_at, finished_at, asked_date,
    newest_processed_date, customers_total, customers_succeeded, customers_failed,
    rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected,
    http_requests, http_retries, http_throttled, host, detail
from sync_run"
    };
}

/// A run.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RunLine {
    pub(crate) run_id: i64,
    pub(crate) kind: String,
    pub(crate) source: String,
    pub(crate) outcome: String,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
    /// The processed date of a backfill for past dates.
    pub(crate) asked_date: Option<NaiveDate>,
    pub(crate) newest_processed_date: Option<NaiveDate>,
    pub(crate) customers_total: i64,
    pub(crate) customers_succeeded: i64,
    pub(crate) customers_failed: i64,
    pub(crate) rows_received: i64,
    pub(crate) rows_inserted: i64,
    pub(crate) rows_updated: i64,
    pub(crate) rows_unchanged: i64,
    pub(crate) rows_rejected: i64,
    pub(crate) http_requests: i64,
    pub(crate) http_retries: i64,
    pub(crate) http_throttled: i64,
    pub(crate) host: Option<String>,
    pub(crate) detail: Option<String>,
}

/// A customer that failed in a run.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct FailureLine {
    pub(crate) customer_name: Option<String>,
    #[sqlx(try_from = "Uuid")]
    pub(crate) customer_id: CustomerId,
    pub(crate) reason: String,
    pub(crate) detail: Option<String>,
    pub(crate) http_status: Option<i32>,
    pub(crate) attempts: i32,
    pub(crate) ms_request_id: Option<Uuid>,
    pub(crate) ms_correlation_id: Option<Uuid>,
}

/// The items that a run rejected for one reason.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct RejectionLine {
    pub(crate) dataset: String,
    pub(crate) reason: String,
    pub(crate) items: i64,
    pub(crate) customers: i64,
    /// What is wrong with one of them.
    pub(crate) example: Option<String>,
}

/// A page of the list of runs.
#[derive(Debug, Clone)]
pub(crate) struct RunList {
    pub(crate) rows: Vec<RunLine>,
    /// How many runs there are.
    pub(crate) total: i64,
}

/// One run.
#[derive(Debug, Clone)]
pub(crate) struct RunDetail {
    pub(crate) run: RunLine,
    /// A page of the failures.
    pub(crate) failures: Vec<FailureLine>,
    /// How many there are: the run itself counts them when it ends.
    pub(crate) failed: i64,
    pub(crate) rejections: Vec<RejectionLine>,
}

impl RunList {
    /// All runs, newest first.
    pub(crate) fn query() -> TableQuery {
        TableQuery::new(concat!(select_runs!(), "\norder by run_id desc"))
    }

    pub(crate) async fn load(
        connection: &mut PgConnection,
        page: u32,
    ) -> Result<Self, sqlx::Error> {
        let total = sqlx::query_scalar("select count(*) from sync_run")
            .fetch_one(&mut *connection)
            .await?;
        let rows = Self::query().page(connection, page).await?;
        Ok(Self { rows, total })
    }
}

impl RunDetail {
    /// One run; none if there is no such run.
    pub(crate) async fn load(
        connection: &mut PgConnection,
        run_id: i64,
        page: u32,
    ) -> Result<Option<Self>, sqlx::Error> {
        let text = format!(concat!(select_runs!(), "\nwhere run_id = {}"), run_id);
        let Some(run) = TableQuery::new(text).all(connection).await?.pop() else {
            return Ok(None);
        };
        let failed = "select count(*) from sync_customer where run_id = $1 and outcome = 'failed'";
        let failed = sqlx::query_scalar(failed).bind(run_id);
        Ok(Some(Self {
            run,
            failed: failed.fetch_one(&mut *connection).await?,
            failures: Self::failures(run_id).page(connection, page).await?,
            rejections: Self::rejections(run_id).all(connection).await?,
        }))
    }

    pub(crate) async fn is_known(
        connection: &mut PgConnection,
        run_id: i64,
    ) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("select exists (select from sync_run where run_id = $1)")
            .bind(run_id)
            .fetch_one(connection)
            .await
    }

    /// The table of this name.
    pub(crate) fn table(name: &str, run_id: i64) -> Option<TableQuery> {
        match name {
            "failures" => Some(Self::failures(run_id)),
            "rejections" => Some(Self::rejections(run_id)),
            _ => None,
        }
    }

    pub(crate) fn failures(run_id: i64) -> TableQuery {
        TableQuery::new(format!(
            "\
select c.customer_name, s.customer_id, s.reason, s.detail, s.http_status, s.attempts,
    s.ms_request_id, s.ms_correlation_id
from sync_customer as s
left join customer as c on c.customer_id = s.customer_id
where s.run_id = {run_id} and s.outcome = 'failed'
order by c.customer_name, s.customer_id"
        ))
    }

    pub(crate) fn rejections(run_id: i64) -> TableQuery {
        TableQuery::new(format!(
            "\
select dataset, reason, count(*) as items, count(distinct customer_id) as customers,
    min(detail) as example
from rejected_row
where run_id = {run_id}
group by dataset, reason
order by items desc, dataset, reason"
        ))
    }
}
