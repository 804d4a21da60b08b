//! Brings the ledger's tables up to date.

use sqlx::Connection as _;
use sqlx::migrate::Migrator;

use super::{Store, StoreError};

/// The table in which the driver records what was applied.
pub(super) const RECORD: &str = "_sqlx_migrations";

/// The migrations. None needs the right to make temporary tables, which many a database does not
/// give.
pub(super) fn migrations() -> Migrator {
    sqlx::migrate!()
}

impl Store {
    /// Brings tables and views up to date. Two processes may do so at once: the second waits.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or was brought further by a newer version of the program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.connect_for_work().await?;
        // Whatever the server's or the role's default is: on a large ledger a migration may take
        // minutes, and cut off it would begin anew for ever.
        sqlx::raw_sql("set statement_timeout = 0")
            .execute(&mut connection)
            .await
            .map_err(StoreError::during("preparing the migrations"))?;
        Box::pin(self.prove_fit(&mut connection)).await?;
        migrations()
            .run(&mut connection)
            .await
            .map_err(StoreError::migrating)?;
        // Nothing is lost by a goodbye that does not arrive.
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
