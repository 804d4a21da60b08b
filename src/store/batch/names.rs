//! The ledger's one spelling of each name, and the names that each product id and workload code has
//! had.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use sqlx::PgConnection;

use crate::ledger::{MAX_KEY_BYTES, Name, UsageRow};

/// Names cached at most, far more than a product catalogue has. Without this bound an API that
/// invents names would fill the memory.
const MAX_CACHED_NAMES: usize = 100_000;

/// What a run has looked up of names, so that it asks once per name and not once per row.
#[derive(Debug, Default)]
pub(super) struct NameCache {
    /// The ledger's spelling by the spelling that arrived.
    spellings: HashMap<String, String, RandomState>,
    /// The processed dates recorded for each id under a name.
    recorded: HashMap<NamedId, DateRange>,
}

/// A product id or workload code under one of its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct NamedId<Text = String> {
    kind: NameKind,
    id: Text,
    name: Text,
}

#[derive(Debug, Clone, Copy)]
struct DateRange {
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

impl NameCache {
    /// The ledger's spelling of a name, if [`NameCache::learn`] was given it.
    pub(super) fn known(&self, name: &Name) -> Option<&str> {
        self.spellings.get(name.as_str()).map(String::as_str)
    }

    /// The ledger's spelling of a name that [`NameCache::learn`] was given.
    pub(super) fn spelling<'a>(&'a self, name: &'a Name) -> &'a str {
        self.known(name).unwrap_or(name.as_str())
    }

    /// Looks up how the ledger spells each name. A name that is new to it is stored as it arrived.
    pub(super) async fn learn<'a>(
        &mut self,
        connection: &mut PgConnection,
        names: impl Iterator<Item = &'a Name>,
    ) -> Result<(), sqlx::Error> {
        if self.spellings.len() > MAX_CACHED_NAMES {
            self.spellings.clear();
        }
        let unknown: HashSet<&str> = names
            .map(Name::as_str)
            .filter(|name| !self.spellings.contains_key(*name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // Of several spellings in one batch the first in byte order is stored, so that the choice
        // does not depend on the order in which they arrived.
        let mut first: BTreeMap<String, &str> = BTreeMap::new();
        for name in &unknown {
            let spelling = first.entry(folded(name)).or_insert(name);
            *spelling = (*spelling).min(name);
        }
        let (folded_names, spellings): (Vec<&str>, Vec<&str>) = first
            .iter()
            .map(|(folded, name)| (folded.as_str(), *name))
            .unzip();
        let rows = sqlx::query!(
            r#"
            with new as (
                insert into series_name (folded, name)
                select
                    folded,
                    name
                from unnest($1::text[], $2::varchar[]) as t (folded, name)
                on conflict (folded) do nothing
                returning folded, name
            )

            select
                folded as "folded!",
                name as "name!"
            from new
            union all
            select
                folded,
                name
            from series_name
            where folded = any($1)
            "#,
            &folded_names as _,
            &spellings as _
        )
        .fetch_all(connection)
        .await?;
        let stored: HashMap<String, String> =
            rows.into_iter().map(|row| (row.folded, row.name)).collect();
        for name in unknown {
            let spelling = stored.get(&folded(name)).map_or(name, String::as_str);
            self.spellings.insert(name.to_owned(), spelling.to_owned());
        }
        Ok(())
    }

    /// Records under which names ids and codes arrived, and for which processed dates. The names
    /// must be known to [`NameCache::learn`].
    pub(super) async fn record_ids<'a>(
        &mut self,
        connection: &mut PgConnection,
        run_id: i64,
        rows: impl Iterator<Item = &'a UsageRow>,
    ) -> Result<(), sqlx::Error> {
        let mut incoming: BTreeMap<NamedId<&str>, DateRange> = BTreeMap::new();
        for row in rows {
            let date = row.key.processed_date_time;
            let dates = DateRange {
                oldest: date,
                newest: date,
            };
            let (product_id, workload_code) = (&row.attributes.product_id, &row.workload_code);
            for (kind, id, name) in [
                (NameKind::Product, product_id, &row.key.product_name),
                (NameKind::Workload, workload_code, &row.key.workload_name),
            ] {
                // The table's primary key cannot hold a longer pair.
                if let Some(id) = id
                    && id.len() + name.as_str().len() <= MAX_KEY_BYTES
                {
                    let (id, name) = (id.as_str(), self.spelling(name));
                    let range = incoming.entry(NamedId { kind, id, name }).or_insert(dates);
                    *range = range.union(dates);
                }
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
        if self.recorded.len() > MAX_CACHED_NAMES {
            self.recorded.clear();
        }
        for (id, dates) in new {
            let recorded = self.recorded.entry(id).or_insert(dates);
            *recorded = recorded.union(dates);
        }
        Ok(())
    }
}

/// Equal for all spellings of a name.
fn folded(name: &str) -> String {
    Name::new(name).map_or_else(String::new, |name| name.folded())
}
