//! What `status`, `check`, the scheduler and the status address read. Writes nothing.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use crate::ledger::{CustomerId, Source};

/// A row of `sync_run`.
#[derive(Debug, Clone, Serialize)]
#[expect(
    missing_docs,
    reason = "the fields are the columns of sync_run, described there"
)]
pub struct RunRecord {
    pub run_id: i64,
    pub kind: String,
    pub outcome: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    pub detail: Option<String>,
    pub customers_total: i64,
    pub customers_succeeded: i64,
    pub customers_failed: i64,
    pub rows_received: i64,
    pub rows_inserted: i64,
    pub rows_updated: i64,
    pub rows_unchanged: i64,
    pub rows_rejected: i64,
}

/// When runs last ended. The time of each is that of the machine's clock at its end, which may have
/// been wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LastFinish {
    /// When the newest of the runs ended whose end is not in the future.
    pub not_ahead: Option<DateTime<Utc>>,
    /// When the newest run ended.
    pub newest: Option<DateTime<Utc>>,
}

/// Figures of earlier runs from which the length of the next one can be estimated.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Experience {
    /// Rows received per customer in the newest run in which a customer succeeded.
    pub rows_per_customer: Option<f64>,
    /// Requests per second that the API was last found to allow.
    pub learned_rate: Option<f64>,
}

impl Store {
    /// Loads the figures of earlier runs; the rows are those of the same source.
    ///
    /// # Errors
    /// When Postgres is away or refuses, for example because there are no tables yet.
    pub async fn load_experience(&self, source: Source) -> Result<Experience, StoreError> {
        let query = sqlx::query_as!(
            Experience,
            r#"
            select
                (
                    select rows_received::double precision / customers_succeeded
                    from sync_run
                    where source = $1
                        and customers_succeeded > 0
                    order by run_id desc
                    limit 1
                ) as rows_per_customer,
                (
                    select learned_rate
                    from sync_run
                    where learned_rate is not null
                    order by run_id desc
                    limit 1
                ) as learned_rate
            "#,
            source.as_str()
        );
        self.read("reading earlier runs", async |connection| {
            query.fetch_one(connection).await
        })
        .await
    }

    /// When runs over the whole list last ended without being interrupted. Backfills of past dates
    /// do not count: they do not fetch what a tick fetches. A run that failed counts for its own
    /// `host` only: what failed there may work elsewhere.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_last_finish(
        &self,
        now: DateTime<Utc>,
        host: &str,
    ) -> Result<LastFinish, StoreError> {
        let query = sqlx::query_as!(
            LastFinish,
            r#"
            with finished as (
                select run_id, finished_at
                from sync_run
                where whole_list
                    and asked_date is null
                    and (
                        outcome in ('succeeded', 'partial')
                        or (outcome = 'failed' and coalesce(host, $2) = $2)
                    )
            )
            select
                (
                    select finished_at
                    from finished
                    where finished_at <= $1
                    order by run_id desc
                    limit 1
                ) as not_ahead,
                (
                    select finished_at
                    from finished
                    order by run_id desc
                    limit 1
                ) as newest
            "#,
            now,
            host
        );
        self.read("reading the last run", async |connection| {
            query.fetch_one(connection).await
        })
        .await
    }

    /// The names of these customers. Customers without a name are left out.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_customer_names(
        &self,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, String>, StoreError> {
        let customers: Vec<Uuid> = customers.iter().map(|id| id.as_uuid()).collect();
        let query = sqlx::query!(
            r#"
            select customer_id, customer_name as "customer_name!"
            from customer
            where customer_id = any($1)
                and customer_name is not null
            "#,
            &customers
        );
        let rows = self
            .read("reading the customers' names", async |connection| {
                query.fetch_all(connection).await
            })
            .await?;
        let names = rows.into_iter();
        let names = names.map(|row| (row.customer_id.into(), row.customer_name));
        Ok(names.collect())
    }
}
