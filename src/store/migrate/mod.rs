//! Applies the migrations without closing the ledger to its readers for long. What waits for a lock
//! makes all who come after it wait, too, so that each wait ends after [`LOCK_TIMEOUT`], and with
//! it the attempt.

mod effects;
pub(super) mod migrations;

use std::collections::HashSet;
use std::time::Duration;

use sqlx::migrate::{Migrate as _, Migration};
use sqlx::{Connection as _, PgConnection};

use super::error::StoreError;
use super::grants;
use super::pool::{Store, bounded};
use effects::Effects;
use migrations::Migrations;

/// The table in which the driver records the applied migrations.
pub(super) const RECORD: &str = "_sqlx_migrations";

/// How long a migration waits for a lock, and for all that it takes before it begins.
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Readers wait for this statement. `$names` is replaced by a list of literals.
const LOCK: &str = include_str!("lock.sql");

impl Store {
    /// Brings tables and views up to date, and lets the roles read that `grants` named. Of two
    /// processes that do so at once one is refused.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or a newer version of the program has migrated it.
    /// [`StoreError::Locked`] if another session held a lock for too long: whole migrations may
    /// have been applied, and another attempt continues with the next.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), StoreError> {
        let mut connection = self.connect_for_work().await?;
        let migrated = Box::pin(self.migrate_over(&mut connection, migrations)).await;
        let _closed = connection.close().await;
        migrated.map_err(|error| match error {
            error if error.is_of_a_lock() => StoreError::Locked,
            error => error,
        })
    }

    /// How many of the program's migrations the tables lack.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or there are no tables.
    pub async fn load_missing_migrations(&self) -> Result<usize, StoreError> {
        let query = sqlx::query_scalar::<_, i64>("select version from _sqlx_migrations");
        let applied = self.read("reading the version of the tables", async |connection| {
            query.fetch_all(connection).await
        });
        let applied = applied.await.map_err(|error| match error {
            error if error.is_of_a_missing_table() => StoreError::NoTables,
            error => error,
        })?;
        let migrations = Migrations::embedded();
        let missing = migrations.migrator().iter();
        Ok(missing
            .filter(|migration| !applied.contains(&migration.version))
            .count())
    }

    async fn migrate_over(
        &self,
        connection: &mut PgConnection,
        migrations: &Migrations,
    ) -> Result<(), StoreError> {
        let facts = self.check_server(connection).await?;
        // On a large ledger a migration may take minutes. If the default timeout of the server or
        // the role cut it off, every attempt would start over and none would finish. A program that
        // stands still must not keep what it has locked. In the migrations, as in standard SQL, a
        // backslash stands for itself.
        let timeout = LOCK_TIMEOUT.as_millis();
        let settings = format!(
            "set statement_timeout = 0; set lock_timeout = {timeout}; \
             set standard_conforming_strings = on; \
             set idle_in_transaction_session_timeout = '10s'; set idle_session_timeout = '15s'"
        );
        execute(connection, settings, "preparing the migrations").await?;
        Self::check_tables(connection, &facts, migrations).await?;
        // As the driver does it, so that its own tool is kept away, too.
        let locked = connection.lock().await;
        locked.map_err(StoreError::migrating)?;
        let pending = pending(connection, migrations).await?;
        refuse_foreign_views(connection, migrations, &pending).await?;
        for (migration, effects) in pending {
            if migration.no_tx {
                let applied = migrations
                    .migrator()
                    .run_to(migration.version, &mut *connection);
                applied.await.map_err(StoreError::migrating)?;
                continue;
            }
            let during = || StoreError::during("applying the migrations");
            let mut transaction = connection.begin().await.map_err(during())?;
            lock(&mut transaction, &effects).await?;
            let applied = migrations
                .migrator()
                .run_to(migration.version, &mut *transaction);
            applied.await.map_err(StoreError::migrating)?;
            grants::renew(&mut transaction, migrations).await?;
            transaction.commit().await.map_err(during())?;
        }
        grants::renew(connection, migrations).await
    }
}

/// The migrations that have not been applied, and what each does to what exists.
async fn pending<'a>(
    connection: &mut PgConnection,
    migrations: &'a Migrations,
) -> Result<Vec<(&'a Migration, Effects)>, StoreError> {
    let made = connection.ensure_migrations_table(RECORD).await;
    made.map_err(StoreError::migrating)?;
    let applied = connection.list_applied_migrations(RECORD).await;
    let applied = applied.map_err(StoreError::migrating)?;
    let applied: HashSet<i64> = applied.iter().map(|applied| applied.version).collect();
    let pending = migrations.migrator().iter();
    let pending = pending.filter(|migration| !applied.contains(&migration.version));
    Ok(pending
        .map(|migration| (migration, effects::read(migration.sql.as_str())))
        .collect())
}

/// Refuses, before anything is changed, if a view that is not the ledger's uses what a migration
/// removes. Only its owner can make it again, so that it is not for a migration to drop it.
async fn refuse_foreign_views(
    connection: &mut PgConnection,
    migrations: &Migrations,
    pending: &[(&Migration, Effects)],
) -> Result<(), StoreError> {
    let removed = pending.iter().flat_map(|(_, effects)| &effects.removed);
    let (names, columns): (Vec<String>, Vec<Option<String>>) = removed.cloned().unzip();
    if names.is_empty() {
        return Ok(());
    }
    let views = sqlx::query_scalar::<_, String>(include_str!("foreign_views.sql"))
        .bind(names)
        .bind(columns)
        .bind(migrations.created("view"))
        .fetch_all(connection);
    let views = bounded("asking which views use what a migration removes", views).await?;
    if views.is_empty() {
        return Ok(());
    }
    Err(StoreError::ForeignViews {
        views: views.join(", "),
    })
}

/// Locks what the migration will close, all within [`LOCK_TIMEOUT`].
async fn lock(connection: &mut PgConnection, effects: &Effects) -> Result<(), StoreError> {
    const OPERATION: &str = "locking what a migration changes";
    if effects.closed.is_empty() {
        return Ok(());
    }
    // Read from the migrations as words without quotes.
    let names: Vec<String> = effects
        .closed
        .iter()
        .map(|name| format!("'{name}'"))
        .collect();
    let lock = LOCK.replace("$names", &names.join(", "));
    let timeout = LOCK_TIMEOUT.as_millis();
    let bound = format!("set local statement_timeout = {timeout}");
    execute(connection, bound, OPERATION).await?;
    execute(connection, lock, OPERATION).await?;
    execute(
        connection,
        "set local statement_timeout = 0".to_owned(),
        OPERATION,
    )
    .await
}

async fn execute(
    connection: &mut PgConnection,
    sql: String,
    operation: &'static str,
) -> Result<(), StoreError> {
    let executed = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection);
    executed.await.map_err(StoreError::during(operation))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_migration_makes_a_temporary_table_or_drops_what_others_may_use() {
        let migrations = Migrations::embedded();
        let views = migrations.created("view");
        assert!(
            views.contains(&"customer_freshness".to_owned()),
            "{views:?}"
        );
        for migration in migrations.migrator().iter() {
            let text = migration.sql.as_str().to_lowercase();
            // Many databases do not grant that right.
            assert!(!text.contains("create temp"), "{}", migration.description);
            assert!(!text.contains("cascade"), "{}", migration.description);
            for (name, _) in effects::read(&text).removed {
                assert!(!views.contains(&name), "{}: {name}", migration.description);
            }
        }
    }

    #[test]
    fn every_table_view_and_function_of_the_migrations_is_known() {
        let migrations = Migrations::embedded();
        let tables = migrations.created("table");
        for name in [
            "customer",
            "sync_run",
            "license_usage",
            "license_usage_month",
            "consent",
        ] {
            assert!(tables.contains(&name.to_owned()), "{tables:?}");
        }
        let functions = migrations.created("function");
        assert!(functions.contains(&"add_license_usage_partitions".to_owned()));
    }
}
