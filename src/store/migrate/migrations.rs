//! The migrations that the program brings along.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::migrate::Migrator;

/// How long the tables are tried to be brought up to date while other sessions use them.
const PATIENCE: Duration = Duration::from_mins(15);

/// The migrations to apply.
#[derive(Debug)]
pub struct Migrations {
    migrator: Migrator,
    patience: Duration,
}

impl Migrations {
    /// The program's own.
    #[must_use]
    pub fn embedded() -> Self {
        Self::new(sqlx::migrate!(), PATIENCE)
    }

    /// Of a test, with the time after which it gives up waiting for other sessions.
    #[must_use]
    pub fn new(migrator: Migrator, patience: Duration) -> Self {
        Self { migrator, patience }
    }

    /// The version of the newest; none without migrations.
    #[must_use]
    pub fn newest(&self) -> Option<i64> {
        self.migrator
            .iter()
            .map(|migration| migration.version)
            .max()
    }

    /// After how long waiting for other sessions is given up.
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.patience
    }

    pub(in crate::store) fn migrator(&self) -> &Migrator {
        &self.migrator
    }

    /// The names of the objects of a kind, such as "view", that the migrations create, each in a
    /// line of its own that begins with "create".
    pub(in crate::store) fn created(&self, kind: &str) -> Vec<String> {
        let mut names = BTreeSet::new();
        for migration in self.migrator.iter() {
            for line in migration.sql.as_str().lines() {
                let created = line.strip_prefix("create or replace ");
                let created = created.or_else(|| line.strip_prefix("create "));
                let Some(rest) = created.and_then(|created| created.strip_prefix(kind)) else {
                    continue;
                };
                let end = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
                let name = rest.trim_start().split(end).next().unwrap_or_default();
                if rest.starts_with(' ') {
                    names.insert(name.to_owned());
                }
            }
        }
        names.into_iter().collect()
    }
}
