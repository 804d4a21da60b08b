//! Migrations that come after the program's own, made for a test.

use std::sync::Arc;
use std::time::Duration;

use seatledger::clock::{Clock, SystemClock};
use seatledger::config::Database;
use seatledger::retry::RetryPolicy;
use seatledger::shutdown::Shutdown;
use seatledger::store::{Migrations, Store};
use seatledger::sync::{RunError, Upgrade, UpgradeWait};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use tokio::sync::watch;

use crate::support::{PATIENCE, World};

static OWN: Migrator = sqlx::migrate!();

/// The version of the first migration after the program's own.
pub(crate) const LATER: i64 = 29_990_101_000_000;

impl World {
    /// The ledger's database, as the library sees it.
    pub(crate) fn store(&self) -> Store {
        let database = Database::try_new(self.database_url(), self.folder.path(), 2).unwrap();
        Store::new(&database).unwrap()
    }

    /// Applies migrations after the program's own.
    pub(crate) async fn upgrade(&self, later: &[&str]) -> Result<(), RunError> {
        let waiting = watch::Sender::new(None);
        self.upgrade_within(later, PATIENCE, &waiting).await
    }

    /// As [`World::upgrade`], waiting for other sessions for so long and showing that in `waiting`.
    pub(crate) async fn upgrade_within(
        &self,
        later: &[&str],
        patience: Duration,
        waiting: &watch::Sender<Option<UpgradeWait>>,
    ) -> Result<(), RunError> {
        let mut all: Vec<Migration> = OWN.iter().cloned().collect();
        for (version, sql) in (LATER..).zip(later) {
            let sql = AssertSqlSafe((*sql).to_owned()).into_sql_str();
            let kind = MigrationType::Simple;
            all.push(Migration::new(version, "later".into(), kind, sql, false));
        }
        let second = Duration::from_secs(1);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let upgrade = Upgrade {
            store: &self.store(),
            migrations: &Migrations::new(Migrator::with_migrations(all), patience),
            retry: RetryPolicy::try_new(second, second, second).unwrap(),
            clock: &clock,
            shutdown: &Shutdown::default(),
        };
        upgrade.run(waiting).await
    }
}
