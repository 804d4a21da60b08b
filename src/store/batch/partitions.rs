//! The partitions of the ledger that a run writes to: a third of a month each, made when a first
//! row of it comes.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use sqlx::PgConnection;

/// What is known of the ledger's partitions, so that each is looked for once a run.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// The first days of the thirds of months that are there.
    covered: BTreeSet<NaiveDate>,
}

impl Partitions {
    /// Sees to it that rows of these dates have a place.
    pub(super) async fn cover(
        &mut self,
        connection: &mut PgConnection,
        dates: &[DateTime<Utc>],
    ) -> Result<(), sqlx::Error> {
        let periods: BTreeSet<NaiveDate> = dates.iter().map(|date| period(*date)).collect();
        if periods.is_subset(&self.covered) {
            return Ok(());
        }
        sqlx::query!(
            "select add_license_usage_partitions($1) as \"done: ()\"",
            dates
        )
        .execute(connection)
        .await?;
        self.covered.extend(periods);
        Ok(())
    }
}

/// The same as the SQL function `license_usage_period`, which decides; here it only saves asking.
fn period(date: DateTime<Utc>) -> NaiveDate {
    let date = date.date_naive();
    let third = (date.day0() / 10).min(2);
    date.with_day0(third * 10).unwrap_or(date)
}
