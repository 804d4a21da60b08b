//! What earlier backfills left undone: the unfinished one to resume, and the dates that need not be
//! fetched again.

use std::collections::HashSet;

use chrono::NaiveDate;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::Store;
use crate::ledger::CustomerId;

/// Days after which every service has published its figures of a date. A run that fetched a date
/// earlier may lack the figures of a slower service.
const SETTLED_DAYS: i32 = 7;

/// The newest backfill that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The run that began it; runs that resume it name this one.
    pub run_id: i64,
    /// The customers it was restricted to; empty: the whole list.
    pub only: Vec<CustomerId>,
    /// The dates of a dated backfill, both ends included.
    pub dates: Option<(NaiveDate, NaiveDate)>,
}

/// The newest run of a backfill.
#[derive(Debug, Clone)]
struct LastPass {
    run_id: i64,
    only_customers: Option<Vec<Uuid>>,
    date_from: Option<NaiveDate>,
    date_to: Option<NaiveDate>,
    /// The date it requested; none unless the backfill is dated.
    asked_date: Option<NaiveDate>,
    /// Whether it ended before it had requested every customer.
    is_cut_off: bool,
}

impl LastPass {
    /// The dates that the backfill has still to fetch unless they are complete, both ends included.
    /// A dated backfill goes from the newest date to the oldest.
    fn dates_left(&self) -> Option<(NaiveDate, NaiveDate)> {
        let asked = self.asked_date?;
        let last = if self.is_cut_off {
            asked
        } else {
            asked.pred_opt()?
        };
        self.date_from.map(|first| (first, last))
    }

    fn is_finished(&self, complete: &HashSet<NaiveDate>) -> bool {
        if self.asked_date.is_none() {
            return !self.is_cut_off;
        }
        let Some((first, last)) = self.dates_left() else {
            return true;
        };
        let mut left = first.iter_days().take_while(|date| *date <= last);
        left.all(|date| complete.contains(&date))
    }
}

impl Store {
    /// The newest backfill from `source` that ended before it was finished, and that no later
    /// backfill of the same customers and dates has finished.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_unfinished(&self, source: &str) -> Result<Option<Unfinished>, StoreError> {
        let query = sqlx::query_as!(
            LastPass,
            r#"
            select
                coalesce(resumes, run_id) as "run_id!",
                only_customers,
                date_from,
                date_to,
                asked_date,
                outcome = 'running' or ended_early as "is_cut_off!"
            from (
                select distinct on (only_customers, date_from, date_to) *
                from sync_run
                where kind = 'backfill'
                    and source = $1
                order by only_customers, date_from, date_to, run_id desc
            ) as newest
            order by run_id desc
            "#,
            source
        );
        let passes = self
            .read("looking for an unfinished backfill", async |connection| {
                query.fetch_all(connection).await
            })
            .await?;
        let left = || passes.iter().filter_map(LastPass::dates_left);
        let first = left().map(|(first, _)| first).min();
        let last = left().map(|(_, last)| last).max();
        let complete = match first.zip(last) {
            Some((first, last)) => self.load_complete_dates(first, last).await?,
            None => HashSet::new(),
        };
        let unfinished = passes.into_iter().find(|pass| !pass.is_finished(&complete));
        Ok(unfinished.map(|pass| Unfinished {
            run_id: pass.run_id,
            only: pass
                .only_customers
                .unwrap_or_default()
                .into_iter()
                .map(CustomerId::from)
                .collect(),
            dates: pass.date_from.zip(pass.date_to),
        }))
    }

    /// The dates of a range that need not be fetched again: the ledger has rows of them, and a
    /// backfill of the whole list has fetched them without a failure after they were settled.
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
                and exists (
                    select
                    from service_date as d
                    where d.processed_date = r.asked_date
                )
            "#,
            from,
            to,
            SETTLED_DAYS
        );
        let dates = self
            .read("looking up complete dates", async |connection| {
                query.fetch_all(connection).await
            })
            .await?;
        Ok(dates.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// A pass over one date of a backfill of the first three days of March.
    fn dated(asked: &str, is_cut_off: bool) -> LastPass {
        LastPass {
            run_id: 1,
            only_customers: None,
            date_from: Some(date("2026-03-01")),
            date_to: Some(date("2026-03-03")),
            asked_date: Some(date(asked)),
            is_cut_off,
        }
    }

    #[test]
    fn an_undated_backfill_is_unfinished_while_it_is_cut_off() {
        for is_cut_off in [false, true] {
            let pass = LastPass {
                asked_date: None,
                date_from: None,
                date_to: None,
                ..dated("2026-03-01", is_cut_off)
            };
            assert_eq!(pass.is_finished(&HashSet::new()), !is_cut_off);
            assert_eq!(pass.dates_left(), None);
        }
    }

    #[test]
    fn a_dated_backfill_is_finished_with_its_oldest_date() {
        let none = HashSet::new();
        assert!(dated("2026-03-01", false).is_finished(&none));
        assert!(!dated("2026-03-01", true).is_finished(&none));
        assert!(!dated("2026-03-02", false).is_finished(&none));
    }

    #[test]
    fn complete_dates_are_not_left_to_fetch() {
        let first = HashSet::from([date("2026-03-01")]);
        assert!(dated("2026-03-02", false).is_finished(&first));
        assert!(!dated("2026-03-02", true).is_finished(&first));
        assert!(!dated("2026-03-03", false).is_finished(&first));
        let both = HashSet::from([date("2026-03-01"), date("2026-03-02")]);
        assert!(dated("2026-03-03", false).is_finished(&both));
    }
}
