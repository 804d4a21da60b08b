//! What a support bundle shows of the ledger, as JSON that Postgres makes. Each section is read by
//! itself, so that one that cannot be read, for example in tables of another version, takes none of
//! the others with it.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::error::StoreError;
use super::migrate::migrations::Migrations;
use super::pool::Store;

/// The sections, each with its statement.
const SECTIONS: [(&str, &str); 9] = [
    ("server", include_str!("sql/server.sql")),
    ("migrations", include_str!("sql/migrations.sql")),
    (
        "customers_by_state",
        include_str!("sql/customers_by_state.sql"),
    ),
    ("leases", include_str!("sql/leases.sql")),
    ("consents", include_str!("sql/consents.sql")),
    ("runs", include_str!("sql/runs.sql")),
    ("failures", include_str!("sql/failures.sql")),
    ("rejected_rows", include_str!("sql/rejected_rows.sql")),
    ("tables", include_str!("sql/tables.sql")),
];

impl Store {
    /// The sections, each with its rows or the reason why there are none.
    pub(crate) async fn load_support(&self) -> Vec<(&'static str, Result<Value, StoreError>)> {
        let mut sections = Vec::with_capacity(SECTIONS.len());
        for (name, sql) in SECTIONS {
            let own = Migrations::embedded().created("table");
            let read = self.read("reading for the support bundle", async |connection| {
                let query = sqlx::query_scalar::<_, Value>(sql);
                let query = if name == "tables" {
                    query.bind(own)
                } else {
                    query
                };
                query.fetch_one(connection).await
            });
            sections.push((name, Box::pin(read).await));
        }
        sections
    }

    /// Every customer that was ever on a list, with its name and domain.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_all_names(&self) -> Result<HashMap<Uuid, Vec<String>>, StoreError> {
        let query = sqlx::query_as::<_, (Uuid, Vec<String>)>(include_str!("sql/names.sql"));
        let names = self.read("reading the customers' names", async |connection| {
            query.fetch_all(connection).await
        });
        Ok(Box::pin(names).await?.into_iter().collect())
    }
}
