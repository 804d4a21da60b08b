//! Creates the partitions of the ledger that a run's rows need. Which dates share a partition is
//! decided by the SQL function `license_usage_period` alone.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

/// The days (UTC) whose partition is known to exist, so that a run asks once for each day that its
/// rows are of, and not once for each batch.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    covered: BTreeSet<NaiveDate>,
    /// Whether one was created.
    pub(super) has_new: bool,
}

impl Partitions {
    /// Makes sure that rows of these dates have a partition.
    pub(super) async fn cover(
        &mut self,
        connection: &mut PgConnection,
        dates: &[DateTime<Utc>],
    ) -> Result<(), sqlx::Error> {
        let is_covered = |date: &DateTime<Utc>| self.covered.contains(&date.date_naive());
        if dates.iter().all(is_covered) {
            return Ok(());
        }
        let added = sqlx::query_scalar!(
            r#"select add_license_usage_partitions($1) as "added!""#,
            dates
        )
        .fetch_one(connection)
        .await?;
        self.has_new |= added > 0;
        self.covered.extend(dates.iter().map(DateTime::date_naive));
        Ok(())
    }
}
