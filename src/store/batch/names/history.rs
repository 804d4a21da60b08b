//! Records the names that each product id and workload code has had.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::NameCache;
use crate::ledger::{CustomerOutcome, MAX_KEY_BYTES, Name};

/// A product id or workload code under one of its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NamedId<Text = String> {
    kind: NameKind,
    id: Text,
    name: Text,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DateRange {
    oldest: DateTime<Utc>,
    newest: DateTime<Utc>,
}

impl DateRange {
    fn union(self, other: Self) -> Self {
        Self {
            oldest: self.oldest.min(other.oldest),
            newest: self.newest.max(other.newest),
        }
    }

    fn contains(self, other: Self) -> bool {
        self.oldest <= other.oldest && other.newest <= self.newest
    }
}

/// What a name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum NameKind {
    Product,
    Workload,
}

impl NameKind {
    /// As in `name_history.kind`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Workload => "workload",
        }
    }
}

/// A row's date, and an id of it with the name.
type Named<'a> = (DateTime<Utc>, NameKind, Option<&'a str>, &'a Name);

/// The names of every row of a batch.
fn named(outcomes: &[CustomerOutcome]) -> impl Iterator<Item = Named<'_>> {
    outcomes.iter().flat_map(|outcome| {
        let usage = outcome.usage.rows.iter().flat_map(|row| {
            let (key, product) = (&row.key, row.attributes.product());
            let (at, code) = (key.processed_date_time, row.workload_code.as_deref());
            [
                (at, NameKind::Product, product, &key.product_name),
                (at, NameKind::Workload, code, &key.workload_name),
            ]
        });
        let deployment = outcome.deployment.rows.iter().map(|row| {
            let (key, product) = (&row.key, row.attributes.product());
            let at = key.processed_date_time;
            (at, NameKind::Product, product, &key.product_name)
        });
        usage.chain(deployment)
    })
}

impl NameCache {
    /// Records under which names ids and codes arrived, and for which processed dates. The names
    /// must be known to [`NameCache::learn`].
    pub(in super::super) async fn record_ids(
        &mut self,
        connection: &mut PgConnection,
        run_id: i64,
        outcomes: &[CustomerOutcome],
    ) -> Result<(), sqlx::Error> {
        let mut incoming: BTreeMap<NamedId<&str>, DateRange> = BTreeMap::new();
        for (at, kind, id, name) in named(outcomes) {
            // The table's primary key cannot hold a longer pair.
            if let Some(id) = id
                && id.len() + name.as_str().len() <= MAX_KEY_BYTES
            {
                let dates = DateRange {
                    oldest: at,
                    newest: at,
                };
                let name = self.spelling(name, None);
                let range = incoming.entry(NamedId { kind, id, name }).or_insert(dates);
                *range = range.union(dates);
            }
        }
        let new: Vec<(NamedId, DateRange)> = incoming
            .into_iter()
            .map(|(NamedId { kind, id, name }, dates)| {
                let (id, name) = (id.to_owned(), name.to_owned());
                (NamedId { kind, id, name }, dates)
            })
            .filter(|(id, dates)| {
                let recorded = self.recorded.get(id);
                recorded.is_none_or(|recorded| !recorded.contains(*dates))
            })
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        macro_rules! column {
            ($value:expr) => {
                new.iter().map($value).collect::<Vec<_>>()
            };
        }
        sqlx::query_file!(
            "src/store/batch/sql/upsert_names.sql",
            &column!(|(id, _)| id.kind.as_str()) as _,
            &column!(|(id, _)| id.id.as_str()) as _,
            &column!(|(id, _)| id.name.as_str()) as _,
            &column!(|(_, dates)| dates.oldest),
            &column!(|(_, dates)| dates.newest),
            run_id
        )
        .execute(connection)
        .await?;
        if self.recorded.len() > super::MAX_CACHED_NAMES {
            self.recorded.clear();
        }
        for (id, dates) in new {
            let recorded = self.recorded.entry(id).or_insert(dates);
            *recorded = recorded.union(dates);
        }
        Ok(())
    }
}
