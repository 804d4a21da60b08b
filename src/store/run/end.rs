//! What the end of a run leaves to readers: the totals of days, and statistics for the planner.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::super::error::StoreError;
use super::super::pool::bounded;
use super::lease::RunLease;
use crate::shutdown::Shutdown;

/// The stale days whose totals the end of a run computes again.
#[derive(Debug, Clone, Copy)]
pub struct DayTotals<'a> {
    /// The date that the next pass of a dated backfill will request. Days on which its figures, or
    /// those of older dates, count are left to that pass.
    pub next_date: Option<NaiveDate>,
    /// A graceful stop leaves the rest of the days to the next run.
    pub shutdown: &'a Shutdown,
}

impl DayTotals<'_> {
    /// Computes the totals, the newest day first.
    pub(in crate::store) async fn refresh(
        self,
        connection: &mut PgConnection,
    ) -> Result<(), StoreError> {
        let query = sqlx::query_scalar!(
            "
            select date
            from stale_day
            where $1::date is null
                or date > $1::date + 14
            order by date desc
            ",
            self.next_date
        );
        let days = bounded("looking up stale days", query.fetch_all(&mut *connection)).await?;
        for day in days {
            if self.shutdown.graceful.is_cancelled() {
                break;
            }
            let query = sqlx::query!(
                r#"select refresh_license_usage_day_total($1) as "done: ()""#,
                day
            );
            bounded(
                "computing the totals of a day",
                query.execute(&mut *connection),
            )
            .await?;
        }
        Ok(())
    }
}

impl RunLease {
    /// Whether the run has created a partition of the ledger.
    #[must_use]
    pub fn has_new_partition(&self) -> bool {
        self.cache.has_new_partition()
    }

    /// Gathers statistics of the whole ledger, which autovacuum gathers of its partitions only.
    /// Nothing to do while there is one partition.
    ///
    /// Before version 18, Postgres reads the partitions too; it does so after it has stored the
    /// statistics of the whole, so the time limit loses nothing. Statistics of the columns that
    /// queries compare cost two fifths of those of all columns.
    ///
    /// # Errors
    /// When Postgres is away, refuses or takes too long.
    pub async fn analyze(&mut self) -> Result<(), StoreError> {
        let partitions = sqlx::query!(
            r#"
            select
                count(*) > 1 as "are_many!",
                current_setting('server_version_num')::integer >= 180000 as "has_only!"
            from pg_inherits
            where inhparent = 'license_usage'::regclass
            "#
        );
        self.within("gathering statistics", async |connection| {
            let partitions = partitions.fetch_one(&mut *connection).await?;
            if !partitions.are_many {
                return Ok(());
            }
            sqlx::raw_sql("set local statement_timeout = '30s'")
                .execute(&mut *connection)
                .await?;
            let analyze = if partitions.has_only {
                "analyze only license_usage (
                    processed_date_time, customer_id, product_name, workload_name, product_id
                )"
            } else {
                "analyze license_usage (
                    processed_date_time, customer_id, product_name, workload_name, product_id
                )"
            };
            sqlx::raw_sql(analyze).execute(connection).await.map(drop)
        })
        .await
    }
}
