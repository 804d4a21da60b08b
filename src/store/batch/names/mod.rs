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

/// What becomes of a name that the ledger does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum NewName {
    /// It is stored as it arrived.
    Stored,
    /// It is spelled as if it were stored, and nothing is written.
    Foreseen,
}

/// What a run has looked up of names, so that it asks once per name and not once per row.
#[derive(Debug, Default)]
pub(in crate::store) struct NameCache {
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
    pub(in crate::store) fn spelling<'a>(
        &'a self,
        name: &'a Name,
        product: Option<&str>,
    ) -> &'a str {
        self.known(name, product).unwrap_or(name.as_str())
    }

    /// Looks up how the ledger spells each name, of a product with its id if it has one.
    pub(in crate::store) async fn learn<'a>(
        &mut self,
        connection: &mut PgConnection,
        names: impl Iterator<Item = (&'a Name, Option<&'a str>)>,
        new: NewName,
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
        self.learn_names(&mut *connection, &unknown, new).await?;
        products.retain(|(id, name)| {
            let stored = self.spellings.get(*name);
            stored.is_some_and(|stored| stored.of(Some(*id)).is_none())
        });
        self.learn_products(connection, &products, new).await
    }

    async fn learn_names(
        &mut self,
        connection: &mut PgConnection,
        unknown: &HashSet<&str>,
        new: NewName,
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
        let stored = match new {
            NewName::Stored => store_names(connection, &first).await?,
            NewName::Foreseen => {
                let folded: Vec<&str> = first.keys().map(String::as_str).collect();
                load_names(connection, &folded).await?
            }
        };
        let stored: HashMap<&str, &StoredName> = stored
            .iter()
            .map(|name| (name.folded.as_str(), name))
            .collect();
        for name in unknown {
            let (plain, owner) = match stored.get(folded(name).as_str()) {
                Some(stored) => (stored.name.clone(), stored.product_id.clone()),
                None => ((*name).to_owned(), None),
            };
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

/// A row of `series_name`.
struct StoredName {
    folded: String,
    name: String,
    product_id: Option<String>,
}

/// Stores those of the spellings, given by folded name, whose names the ledger does not have yet.
/// Returns the ledger's spelling of each.
async fn store_names(
    connection: &mut PgConnection,
    spellings: &BTreeMap<String, &str>,
) -> Result<Vec<StoredName>, sqlx::Error> {
    let (folded, spellings): (Vec<&str>, Vec<&str>) = spellings
        .iter()
        .map(|(folded, name)| (folded.as_str(), *name))
        .unzip();
    sqlx::query_as!(
        StoredName,
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
        &folded as _,
        &spellings as _
    )
    .fetch_all(connection)
    .await
}

/// The ledger's spellings of those of these folded names that it has.
async fn load_names(
    connection: &mut PgConnection,
    folded: &[&str],
) -> Result<Vec<StoredName>, sqlx::Error> {
    sqlx::query_as!(
        StoredName,
        "
        select
            folded,
            name,
            product_id
        from series_name
        where folded = any($1)
        ",
        folded as _
    )
    .fetch_all(connection)
    .await
}

/// Equal for all spellings of a name.
fn folded(name: &str) -> String {
    Name::new(name).map_or_else(String::new, |name| name.folded())
}
