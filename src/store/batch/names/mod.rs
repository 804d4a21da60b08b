//! The ledger's one spelling of each name, and the names that each product id and workload code has
//! had.
//!
//! The primary keys of the ledger know a product by its name. If several products have one name,
//! the first that came with its id keeps it, and each other one has a spelling of its own for good:
//! see `products`.

mod history;
mod products;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;
use sqlx::PgConnection;

use crate::ledger::Name;
use history::{DateRange, NamedId};

/// Names cached at most, far more than a product catalogue has. Without this bound an API that
/// invents names would fill the memory.
const MAX_CACHED_NAMES: usize = 100_000;

/// What a run has looked up of names, so that it asks once per name and not once per row.
#[derive(Debug, Default)]
pub(super) struct NameCache {
    /// How the ledger spells each name, by the spelling that arrived.
    spellings: HashMap<String, Spelling, RandomState>,
    /// Names and products in `spellings`.
    cached: usize,
    /// The processed dates recorded for each id under a name.
    recorded: HashMap<NamedId, DateRange>,
}

/// How the ledger spells a name.
#[derive(Debug)]
struct Spelling {
    plain: String,
    /// The id of the product that has the plain spelling; none until the name came with an id.
    owner: Option<String>,
    /// The spellings of the other products of that name, by id.
    others: HashMap<String, String>,
}

impl Spelling {
    /// The spelling for the product with this id, if it is known.
    fn of(&self, product: Option<&str>) -> Option<&str> {
        match product {
            Some(id) if self.owner.as_deref() != Some(id) => {
                self.others.get(id).map(String::as_str)
            }
            _ => Some(&self.plain),
        }
    }
}

impl NameCache {
    /// The ledger's spelling of a workload's name, or of the name of the product with this id, if
    /// [`NameCache::learn`] was given it.
    pub(super) fn known(&self, name: &Name, product: Option<&str>) -> Option<&str> {
        self.spellings.get(name.as_str())?.of(product)
    }

    /// The same for a name that [`NameCache::learn`] was given.
    pub(super) fn spelling<'a>(&'a self, name: &'a Name, product: Option<&str>) -> &'a str {
        self.known(name, product).unwrap_or(name.as_str())
    }

    /// Looks up how the ledger spells each name, of a product with its id if it has one. A name
    /// that is new to the ledger is stored as it arrived.
    pub(super) async fn learn<'a>(
        &mut self,
        connection: &mut PgConnection,
        names: impl Iterator<Item = (&'a Name, Option<&'a str>)>,
    ) -> Result<(), sqlx::Error> {
        if self.cached > MAX_CACHED_NAMES {
            self.spellings.clear();
            self.cached = 0;
        }
        let mut unknown = HashSet::new();
        // By id first: of two products that come at once the one with the smaller id has the name.
        let mut products = BTreeSet::new();
        for (name, product) in names {
            let name = name.as_str();
            let stored = self.spellings.get(name);
            if stored.is_none() {
                unknown.insert(name);
            }
            if let Some(id) = product
                && stored.is_none_or(|stored| stored.of(product).is_none())
            {
                products.insert((id, name));
            }
        }
        self.learn_names(&mut *connection, &unknown).await?;
        products.retain(|(id, name)| {
            let stored = self.spellings.get(*name);
            stored.is_some_and(|stored| stored.of(Some(*id)).is_none())
        });
        self.learn_products(connection, &products).await
    }

    async fn learn_names(
        &mut self,
        connection: &mut PgConnection,
        unknown: &HashSet<&str>,
    ) -> Result<(), sqlx::Error> {
        if unknown.is_empty() {
            return Ok(());
        }
        // Of several spellings in one batch the first in byte order is stored, so that the choice
        // does not depend on the order in which they arrived.
        let mut first: BTreeMap<String, &str> = BTreeMap::new();
        for name in unknown {
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
                returning folded, name, product_id
            )

            select
                folded as "folded!",
                name as "name!",
                product_id
            from new
            union all
            select
                folded,
                name,
                product_id
            from series_name
            where folded = any($1)
            "#,
            &folded_names as _,
            &spellings as _
        )
        .fetch_all(connection)
        .await?;
        let stored: HashMap<String, (String, Option<String>)> = rows
            .into_iter()
            .map(|row| (row.folded, (row.name, row.product_id)))
            .collect();
        for name in unknown {
            let stored = stored.get(&folded(name));
            let (plain, owner) = stored.map_or(((*name).to_owned(), None), Clone::clone);
            let spelling = Spelling {
                plain,
                owner,
                others: HashMap::new(),
            };
            self.spellings.insert((*name).to_owned(), spelling);
        }
        self.cached += unknown.len();
        Ok(())
    }
}

/// Equal for all spellings of a name.
fn folded(name: &str) -> String {
    Name::new(name).map_or_else(String::new, |name| name.folded())
}
