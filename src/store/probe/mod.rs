//! Checks, before a run, that the database has what a run needs: the server's version and settings
//! (`facts`), sessions (`session`) and rights (`rights`). Finally, a run is rehearsed in a
//! transaction that is rolled back (`rehearsal`), because nothing else proves that it works.
//!
//! Statements here are not prepared: behind a pooler in transaction mode a prepared statement would
//! fail before the pooler is recognised.

mod facts;
mod rehearsal;
mod rights;
mod session;

use std::fmt;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::migrate::MigrateError;
use sqlx::{Connection as _, Row as _};
use tokio::time::{Instant, timeout_at};

use super::error::StoreError;
use super::migrate::migrations::Migrations;
use super::pool::Store;
use crate::clock::Clock;
use crate::config::SslMode;
use crate::printable::hex;
use crate::span::counted;
use facts::LEAST_CONNECTIONS;
pub(super) use facts::ServerFacts;

/// Time for each step of the check; `check` promises an answer within 30 s.
const STEP_TIMEOUT: Duration = Duration::from_secs(8);

/// Bounds on the server, whatever the role's defaults are: a lock of another session is not waited
/// for long, and no statement runs on after the check.
const BOUNDS: &str = "
    set lock_timeout = '3s';
    set statement_timeout = '7s';
    set idle_in_transaction_session_timeout = '10s';
    set standard_conforming_strings = on
";

/// The result of one part of the check.
#[derive(Debug)]
pub struct ProbedPart {
    /// The part's name.
    pub part: &'static str,
    /// What was found, in words; or the fault to mend.
    pub found: Result<String, StoreError>,
}

/// The version of the ledger's tables.
enum SchemaVersion {
    /// There are no tables yet.
    None,
    /// All migrations are applied.
    Current,
    /// The number of migrations to apply.
    Behind(usize),
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("there are no tables yet; the first run makes them"),
            Self::Current => f.write_str("the tables are up to date"),
            Self::Behind(count) => write!(
                f,
                "the tables are of an older version; the next run applies {}",
                counted(*count, "migration")
            ),
        }
    }
}

impl Store {
    /// Checks every part that does not depend on one that failed, and ends some seconds after
    /// `until` at the latest. The parts are in the order in which a person should mend them.
    pub async fn probe(&self, clock: &dyn Clock, until: Instant) -> Vec<ProbedPart> {
        let mut parts = Vec::new();
        let mut add = |part, found: Result<String, StoreError>| {
            let fine = found.is_ok();
            parts.push(ProbedPart { part, found });
            fine
        };
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                add("database", Err(error));
                return parts;
            }
        };
        let facts = match within(until, facts::ask(&mut connection)).await {
            Ok(facts) => facts,
            Err(error) => {
                add("database", Err(error));
                return parts;
            }
        };
        let reached = facts.judge_server().map(|()| self.describe(&facts));
        let session = within(until, session::prove(self, &mut connection)).await;
        let mut sound = add("database", reached);
        sound &= add(
            "session",
            session.map(|()| "stays the same from one transaction to the next".to_owned()),
        );
        if !sound {
            return parts;
        }
        let migrations = Migrations::embedded();
        let version = async {
            // Not before the session is known to be the program's own.
            let bounded = sqlx::raw_sql(BOUNDS).execute(&mut connection).await;
            bounded.map_err(StoreError::during("preparing the check"))?;
            load_version(&mut connection, &facts, &migrations).await
        };
        let version = match within(until, version).await {
            Ok(version) => version,
            Err(error) => {
                add("schema", Err(error));
                return parts;
            }
        };
        let schema = facts.judge_schema().map(|()| {
            let schema = facts.schema.as_deref().unwrap_or_default();
            format!("{schema:?}: {version}")
        });
        if add("schema", schema) {
            let rights = Box::pin(within(
                until,
                self.check_rights(connection, &facts, &version, clock),
            ));
            add("rights", rights.await);
        }
        parts
    }

    async fn check_rights(
        &self,
        mut connection: PgConnection,
        facts: &ServerFacts,
        version: &SchemaVersion,
        clock: &dyn Clock,
    ) -> Result<String, StoreError> {
        facts.judge_limits(self.database().max_connections)?;
        match version {
            SchemaVersion::None => facts.judge_new_ledger()?,
            SchemaVersion::Current | SchemaVersion::Behind(_) => {
                rights::prove(&mut connection, facts, &Migrations::embedded()).await?;
            }
        }
        let role = &facts.role;
        if let SchemaVersion::Behind(_) = version {
            let _closed = connection.close().await;
            return Ok(format!("{role:?} owns the tables and may add to them"));
        }
        rehearsal::rehearse(connection, clock.now()).await?;
        Ok(format!(
            "{role:?} rehearsed a run, including a new partition, and rolled it back"
        ))
    }

    /// Checks server, schema and session. Changes no setting of the session, which may be a
    /// pooler's.
    pub(super) async fn check_server(
        &self,
        connection: &mut PgConnection,
    ) -> Result<ServerFacts, StoreError> {
        let facts = within_step(facts::ask(connection)).await?;
        facts.judge_server()?;
        facts.judge_schema()?;
        facts.judge_limits(LEAST_CONNECTIONS)?;
        within_step(session::prove(self, connection)).await?;
        Ok(facts)
    }

    /// Checks what can be checked without a rehearsal, so that no run begins that cannot succeed.
    /// Fast enough for every start.
    pub(super) async fn check_tables(
        connection: &mut PgConnection,
        facts: &ServerFacts,
        migrations: &Migrations,
    ) -> Result<(), StoreError> {
        // Without STEP_TIMEOUT: a lock of another session on the tables is waited for, as the
        // migrations wait for it.
        match load_version(connection, facts, migrations).await? {
            SchemaVersion::None => facts.judge_new_ledger(),
            SchemaVersion::Current => rights::prove(connection, facts, migrations).await,
            // A migration that lacks a right fails with an error that says so.
            SchemaVersion::Behind(_) => Ok(()),
        }
    }

    /// Describes the server and how the connection is protected.
    fn describe(&self, facts: &ServerFacts) -> String {
        let address = self.database().address;
        let verified = address.hosts.iter().map(|host| address.tls.mode_for(host));
        let verified: Vec<SslMode> = verified.collect();
        let local = address.hosts.iter().all(crate::config::Host::is_local);
        let guarded = match (&facts.tls, verified.first()) {
            (Some(tls), Some(SslMode::VerifyFull)) => format!("encrypted ({tls}), server verified"),
            (Some(tls), Some(SslMode::VerifyCa)) => format!(
                "encrypted ({tls}), certificate verified but not the server's name (sslmode)"
            ),
            (Some(tls), _) => {
                format!("encrypted ({tls}), server not verified; sslmode=verify-full would")
            }
            (None, _) if local => "not encrypted, and within this machine".to_owned(),
            (None, _) => "NOT ENCRYPTED, server not verified; sslmode=verify-full would".to_owned(),
        };
        let ServerFacts {
            role,
            version,
            encoding,
            ..
        } = facts;
        let mut said =
            format!("connected to {address}, as {role:?}; PostgreSQL {version}; {guarded}");
        if encoding != "UTF8" {
            said.push_str("; its encoding is ");
            said.push_str(encoding);
            said.push_str(
                ", which cannot represent every name: a new database with encoding UTF8 is better",
            );
        }
        said
    }
}

/// The version of the tables. An error if a newer or another program has migrated them, or if a
/// migration was interrupted.
async fn load_version(
    connection: &mut PgConnection,
    facts: &ServerFacts,
    migrations: &Migrations,
) -> Result<SchemaVersion, StoreError> {
    if facts.ledger_schema.is_none() {
        return Ok(SchemaVersion::None);
    }
    // As digits, because the text form of bytes is a setting of the database.
    let rows = sqlx::raw_sql(
        "select version, success, encode(checksum, 'hex') from _sqlx_migrations order by version",
    )
    .fetch_all(connection)
    .await
    .map_err(StoreError::during("reading the version of the tables"))?;
    let migrations = migrations.migrator();
    let mut applied = 0;
    for row in rows {
        let read = || -> Result<(i64, bool, String), sqlx::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
        };
        let (version, success, checksum) =
            read().map_err(StoreError::during("reading the version of the tables"))?;
        let known = migrations.iter().find(|known| known.version == version);
        let fault = match known {
            None => Some(MigrateError::VersionMissing(version)),
            Some(_) if !success => Some(MigrateError::Dirty(version)),
            Some(known) if hex(&known.checksum) != checksum => {
                Some(MigrateError::VersionMismatch(version))
            }
            Some(_) => None,
        };
        if let Some(fault) = fault {
            return Err(StoreError::migrating(fault));
        }
        applied += 1;
    }
    Ok(match migrations.iter().count() - applied {
        _ if applied == 0 => SchemaVersion::None,
        0 => SchemaVersion::Current,
        behind => SchemaVersion::Behind(behind),
    })
}

async fn within_step<T>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    within(Instant::now() + STEP_TIMEOUT, work).await
}

/// Does a step until `until`, and for [`STEP_TIMEOUT`] at most.
async fn within<T>(
    until: Instant,
    step: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let until = until.min(Instant::now() + STEP_TIMEOUT);
    timeout_at(until, step)
        .await
        .unwrap_or(Err(StoreError::TimedOut {
            operation: "checking whether a run could do its work".into(),
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn steps_that_each_take_long_end_together() {
        let until = Instant::now() + Duration::from_secs(20);
        for _ in 0..5 {
            let step = async {
                tokio::time::sleep(Duration::from_secs(7)).await;
                Ok(())
            };
            let _late = within(until, step).await;
        }
        assert_eq!(Instant::now(), until);
        let _late = within_step(std::future::pending::<Result<(), _>>()).await;
        assert_eq!(Instant::now(), until + STEP_TIMEOUT);
    }
}
