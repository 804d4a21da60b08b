//! One spelling per name, and the names that each product id and workload code has had.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use sqlx::PgConnection;

use crate::ledger::{MAX_KEY_BYTES, Name, UsageRow};

/// More spellings than any catalogue has; beyond them the memory begins anew.
const MAX_REMEMBERED: usize = 100_000;

/// What is known of the ledger's names, so that each is looked up once a run and not once a row.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The ledger's spelling of each spelling that came.
    spellings: HashMap<String, String, RandomState>,
    /// The oldest and the newest date of each id's or code's names, as recorded.
    dated: HashMap<IdAndName, Dates>,
}

/// What is named, its id or code, and the name.
type IdAndName = (Kind, String, String);

/// The oldest and the newest processed date.
type Dates = (DateTime<Utc>, DateTime<Utc>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Product,
    Workload,
}

impl Kind {
    /// The name in the table.
    fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Workload => "workload",
        }
    }
}

impl Names {
    /// The ledger's spelling of a name, if it is known.
    pub(super) fn known<'a>(&'a self, name: &Name) -> Option<&'a str> {
        self.spellings.get(name.as_str()).map(String::as_str)
    }

    /// The ledger's spelling of a name that [`Names::learn`] was given.
    pub(super) fn spelling<'a>(&'a self, name: &'a Name) -> &'a str {
        self.known(name).unwrap_or(name.as_str())
    }

    /// Finds out how the ledger spells each name; a new name is spelt as it comes.
    pub(super) async fn learn<'a>(
        &mut self,
        connection: &mut PgConnection,
        names: impl Iterator<Item = &'a Name>,
    ) -> Result<(), sqlx::Error> {
        if self.spellings.len() > MAX_REMEMBERED {
            self.spellings.clear();
        }
        let unknown: HashSet<&str> = names
            .map(Name::as_str)
            .filter(|name| !self.spellings.contains_key(*name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        // Of several spellings in one batch the first in the alphabet, so that the choice does not
        // depend on chance.
        let mut first: BTreeMap<String, &str> = BTreeMap::new();
        for name in &unknown {
            let folded = folded(name);
            let spelling = first.entry(folded).or_insert(name);
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
                select folded, name
                from unnest($1::text[], $2::varchar[]) as t (folded, name)
                on conflict (folded) do nothing
                returning folded, name
            )

            select folded as "folded!", name as "name!"
            from new
            union all
            select folded, name
            from series_name
            where folded = any($1)
            "#,
            &folded_names as _,
            &spellings as _
        )
        .fetch_all(connection)
        .await?;
        let kept: HashMap<String, String> =
            rows.into_iter().map(|row| (row.folded, row.name)).collect();
        for name in unknown {
            let spelling = kept.get(&folded(name)).map_or(name, String::as_str);
            self.spellings.insert(name.to_owned(), spelling.to_owned());
        }
        Ok(())
    }

    /// Notes the names under which ids and codes came, and of which dates.
    pub(super) async fn record_ids<'a>(
        &mut self,
        connection: &mut PgConnection,
        run_id: i64,
        rows: impl Iterator<Item = &'a UsageRow>,
    ) -> Result<(), sqlx::Error> {
        let mut incoming: BTreeMap<(Kind, &str, &str), Dates> = BTreeMap::new();
        for row in rows {
            let date = row.key.processed_date_time;
            for (kind, id, name) in [
                (
                    Kind::Product,
                    &row.attributes.product_id,
                    &row.key.product_name,
                ),
                (Kind::Workload, &row.workload_code, &row.key.workload_name),
            ] {
                // A longer pair than an index entry holds is no id and no name worth following.
                if let Some(id) = id
                    && id.len() + name.as_str().len() <= MAX_KEY_BYTES
                {
                    let key = (kind, id.as_str(), self.spelling(name));
                    let dates = incoming.entry(key).or_insert((date, date));
                    *dates = (dates.0.min(date), dates.1.max(date));
                }
            }
        }
        let news: Vec<(IdAndName, Dates)> = incoming
            .into_iter()
            .map(|((kind, id, name), dates)| ((kind, id.to_owned(), name.to_owned()), dates))
            .filter(|(key, dates)| {
                let known = self.dated.get(key);
                known.is_none_or(|known| dates.0 < known.0 || dates.1 > known.1)
            })
            .collect();
        if news.is_empty() {
            return Ok(());
        }
        macro_rules! column {
            ($of:expr) => {
                news.iter().map($of).collect::<Vec<_>>()
            };
        }
        sqlx::query_file!(
            "src/store/batch/sql/upsert_names.sql",
            &column!(|((kind, _, _), _)| kind.as_str()) as _,
            &column!(|((_, id, _), _)| id.as_str()) as _,
            &column!(|((_, _, name), _)| name.as_str()) as _,
            &column!(|(_, dates)| dates.0),
            &column!(|(_, dates)| dates.1),
            run_id
        )
        .execute(connection)
        .await?;
        if self.dated.len() > MAX_REMEMBERED {
            self.dated.clear();
        }
        for (key, dates) in news {
            let known = self.dated.entry(key).or_insert(dates);
            *known = (known.0.min(dates.0), known.1.max(dates.1));
        }
        Ok(())
    }
}

/// The same for all spellings of a name.
fn folded(name: &str) -> String {
    Name::new(name).map_or_else(String::new, |name| name.folded())
}
