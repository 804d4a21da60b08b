//! Marks the calendar days whose totals in `license_usage_day_total` are out of date. Which days a
//! date counts on is decided by the SQL function `mark_stale_days` alone.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::super::digest::CustomerDateRows;

/// The dates (UTC) whose days are known to be marked, so that a run marks them once for each date
/// that its rows are of, and not once for each batch.
#[derive(Debug, Default)]
pub(super) struct StaleDays {
    marked: BTreeSet<NaiveDate>,
}

impl StaleDays {
    /// Marks the days on which these rows count. Call it before the dates are recorded.
    pub(super) async fn mark(
        &mut self,
        connection: &mut PgConnection,
        dates: &[&CustomerDateRows<'_>],
    ) -> Result<(), sqlx::Error> {
        let days: BTreeSet<NaiveDate> = dates.iter().map(|date| date.at.date_naive()).collect();
        let new: Vec<NaiveDate> = days.difference(&self.marked).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        sqlx::query!(r#"select mark_stale_days($1) as "done: ()""#, &new)
            .execute(connection)
            .await?;
        self.marked.extend(new);
        Ok(())
    }
}
