//! Brings the ledger's tables up to date.

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _};

use super::{Store, StoreError, names};

/// The one migration that makes a temporary table, and what the table is to it.
const WITH_TEMPORARY: i64 = 20_261_122_180_000;
const TEMPORARY: &str = "create temporary table dependent_view on commit drop as";
const ORDINARY: &str = "create table dependent_view as";
const AFTER: &str = "\ndrop table dependent_view;\n";

/// The migrations. None needs the right to make temporary tables, which many a database does not give: an ordinary one
/// does as well, since the migration is one transaction. The text that is kept, and its checksum, are as they were.
pub(super) fn migrations() -> Migrator {
    let mut migrator = sqlx::migrate!();
    for migration in migrator.migrations.to_mut() {
        let text = migration.sql.as_str();
        if migration.version == WITH_TEMPORARY && text.contains(TEMPORARY) {
            let text = text.replacen(TEMPORARY, ORDINARY, 1) + AFTER;
            migration.sql = AssertSqlSafe(text).into_sql_str();
        }
    }
    migrator
}

impl Store {
    /// Brings tables and views up to date. Two processes may do so at once: the second waits.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or was brought further by a newer version of the program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        // Whatever the server's or the role's default is: on a large ledger a migration may take minutes, and cut off it
        // would begin anew for ever.
        sqlx::raw_sql("set statement_timeout = 0")
            .execute(&mut connection)
            .await
            .map_err(StoreError::during("preparing the migrations"))?;
        migrations()
            .run(&mut connection)
            .await
            .map_err(StoreError::migrating)?;
        names::adopt(&mut connection)
            .await
            .map_err(StoreError::during("adopting the ledger's names"))?;
        // Nothing is lost by a goodbye that does not arrive.
        let _closed = connection.close().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_migration_makes_a_temporary_table_and_every_checksum_is_that_of_the_text_as_it_was() {
        let committed = sqlx::migrate!();
        for (applied, kept) in migrations().iter().zip(committed.iter()) {
            assert!(!applied.sql.as_str().contains("create temporary"));
            assert_eq!(applied.checksum, kept.checksum);
            let changed = applied.sql.as_str() != kept.sql.as_str();
            assert_eq!(changed, applied.version == WITH_TEMPORARY);
        }
    }
}
