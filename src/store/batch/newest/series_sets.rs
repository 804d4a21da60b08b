//! The sets of series that customers have, each stored once.

use std::collections::{BTreeMap, HashMap};

use sqlx::PgConnection;

use super::super::digest::{CustomerDateRows, column};
use super::numbers;

/// The ids of sets of series by the hash of their texts, so that a run looks each up once.
#[derive(Debug, Default)]
pub(in crate::store) struct SeriesSets {
    ids: HashMap<i64, i64>,
}

impl SeriesSets {
    /// The id of the set that [`SeriesSets::learn`] was given.
    pub(super) fn id(&self, date: &CustomerDateRows<'_>) -> Option<i64> {
        self.ids.get(&date.series_hash).copied()
    }

    /// Stores the sets that the ledger does not have, and looks up the ids of those not seen yet.
    pub(super) async fn learn<'a>(
        &mut self,
        connection: &mut PgConnection,
        dates: impl Iterator<Item = &'a CustomerDateRows<'a>>,
    ) -> Result<(), sqlx::Error> {
        let unknown: BTreeMap<i64, &CustomerDateRows<'_>> = dates
            .filter(|date| !self.ids.contains_key(&date.series_hash))
            .map(|date| (date.series_hash, date))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<&CustomerDateRows<'_>> = unknown.into_values().collect();
        let ids = sqlx::query_file!(
            "src/store/batch/sql/insert_series_sets.sql",
            &numbers(&unknown),
            &column(&unknown, |row| row.product) as _,
            &column(&unknown, |row| row.workload) as _,
            &column(&unknown, |row| row.usage.attributes.product_id.as_deref()) as _,
            &column(&unknown, |row| row.usage.workload_code.as_deref()) as _,
            &column(&unknown, |row| row.usage.attributes.service_name.as_deref()) as _,
            &column(&unknown, |row| row.usage.attributes.service_code.as_deref()) as _,
            &column(&unknown, |row| row.usage.attributes.channel.as_deref()) as _
        )
        .fetch_all(connection)
        .await?;
        for row in ids {
            let date = usize::try_from(row.number)
                .ok()
                .and_then(|n| unknown.get(n));
            if let Some(date) = date {
                self.ids.insert(date.series_hash, row.set_id);
            }
        }
        Ok(())
    }
}
