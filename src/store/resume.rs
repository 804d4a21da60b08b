//! What runs left undone: the last unfinished backfill, and the dates that are complete.

use std::collections::HashSet;

use chrono::NaiveDate;

use super::run_lock::RunLock;
use super::{Store, StoreError, bounded};
use crate::ledger::CustomerId;

/// After so many days every service has reported of a date: some take several, each its own time.
/// What is asked for before may lack one.
const SETTLED_DAYS: i32 = 7;

/// The newest backfill that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The run that began it; those that went on with it name this one.
    pub run_id: i64,
    /// The customers it was restricted to; empty: the whole list.
    pub only: Vec<CustomerId>,
    /// The dates of a dated backfill, both ends included.
    pub dates: Option<(NaiveDate, NaiveDate)>,
}

impl Store {
    /// The newest backfill from `source` that ended before all was done, and that no later one of
    /// the same customers and dates has finished.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_unfinished(&self, source: &str) -> Result<Option<Unfinished>, StoreError> {
        let query = sqlx::query!(
            r#"
            with complete as (
                select distinct r.asked_date as date
                from sync_run as r
                where r.outcome = 'succeeded'
                    and r.whole_list
                    and r.started_at >= (r.asked_date + $2::integer)::timestamp at time zone 'UTC'
                    and (
                        exists (select from ledger_date as d where d.processed_date = r.asked_date)
                        or exists (
                            select
                            from license_deployment as d
                            where d.processed_date_time >= r.asked_date::timestamp at time zone 'UTC'
                                and d.processed_date_time < (r.asked_date + 1)::timestamp at time zone 'UTC'
                        )
                    )
            )

            select
                coalesce(newest.resumes, newest.run_id) as "run_id!",
                newest.only_customers,
                newest.date_from,
                newest.date_to
            from (
                select distinct on (only_customers, date_from, date_to) *
                from sync_run
                where kind = 'backfill'
                    and source = $1
                order by only_customers, date_from, date_to, run_id desc
            ) as newest
            where (newest.asked_date is null and (newest.outcome = 'running' or newest.ended_early))
                -- A dated backfill goes from the newest date to the oldest, and leaves complete ones out.
                or exists (
                    select
                    from generate_series(
                        newest.date_from::timestamp,
                        newest.asked_date
                        - (newest.outcome <> 'running' and not newest.ended_early)::integer,
                        interval '1 day'
                    ) as left_over (date)
                    where left_over.date::date not in (select date from complete)
                )
            order by newest.run_id desc
            limit 1
            "#,
            source,
            SETTLED_DAYS
        );
        let newest = bounded(
            "looking for an unfinished backfill",
            query.fetch_optional(&self.pool),
        )
        .await?;
        Ok(newest.map(|run| Unfinished {
            run_id: run.run_id,
            only: run
                .only_customers
                .unwrap_or_default()
                .into_iter()
                .map(CustomerId::from)
                .collect(),
            dates: run.date_from.zip(run.date_to),
        }))
    }

    /// The dates of a range of which a backfill over the whole list has stored something, and
    /// failed for nobody, when all services had reported.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_complete_dates(
        &self,
        from: NaiveDate,
        to: NaiveDate,
    ) -> Result<HashSet<NaiveDate>, StoreError> {
        let query = sqlx::query_scalar!(
            r#"
            select distinct r.asked_date as "date!"
            from sync_run as r
            where r.asked_date between $1 and $2
                and r.outcome = 'succeeded'
                and r.whole_list
                and r.started_at >= (r.asked_date + $3::integer)::timestamp at time zone 'UTC'
                and (
                    exists (select from ledger_date as d where d.processed_date = r.asked_date)
                    or exists (
                        select
                        from license_deployment as d
                        where d.processed_date_time >= r.asked_date::timestamp at time zone 'UTC'
                            and d.processed_date_time < (r.asked_date + 1)::timestamp at time zone 'UTC'
                    )
                )
            "#,
            from,
            to,
            SETTLED_DAYS
        );
        let dates = bounded("looking up complete dates", query.fetch_all(&self.pool)).await?;
        Ok(dates.into_iter().collect())
    }
}

impl RunLock {
    /// The customers that a run, or one that went on with it, has stored.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_done(&mut self, run_id: i64) -> Result<HashSet<CustomerId>, StoreError> {
        let query = sqlx::query_scalar!(
            "
            select c.customer_id
            from sync_customer as c
            inner join sync_run as r on r.run_id = c.run_id
            where c.outcome = 'succeeded'
                and (r.run_id = $1 or r.resumes = $1)
            ",
            run_id
        );
        let done = bounded(
            "looking up what is done",
            query.fetch_all(&mut self.connection),
        )
        .await?;
        Ok(done.into_iter().map(CustomerId::from).collect())
    }
}
