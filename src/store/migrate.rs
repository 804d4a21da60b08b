//! Applies the migrations.

use sqlx::Connection as _;
use sqlx::migrate::Migrator;

use super::error::StoreError;
use super::pool::Store;

/// The table in which the driver records the applied migrations.
pub(super) const RECORD: &str = "_sqlx_migrations";

/// The migrations. None creates a temporary table: many databases do not grant that right.
pub(super) fn migrations() -> Migrator {
    sqlx::migrate!()
}

impl Store {
    /// Brings tables and views up to date. If two processes migrate at once, the second waits.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or a newer version of the program has migrated it.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.connect_for_work().await?;
        // On a large ledger a migration may take minutes. If the default timeout of the server or
        // the role cut it off, every attempt would start over and none would finish.
        sqlx::raw_sql("set statement_timeout = 0")
            .execute(&mut connection)
            .await
            .map_err(StoreError::during("preparing the migrations"))?;
        Box::pin(self.check_prerequisites(&mut connection)).await?;
        migrations()
            .run(&mut connection)
            .await
            .map_err(StoreError::migrating)?;
        let _closed = connection.close().await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_migration_makes_a_temporary_table() {
        assert!(migrations().iter().count() > 0);
        for migration in migrations().iter() {
            let text = migration.sql.as_str().to_lowercase();
            assert!(!text.contains("create temp"), "{}", migration.description);
        }
    }
}
