//! Proves what a run needs of the database, before a run needs it. What the server says of itself
//! and of the role is asked (`facts`, `rights`), whether a session is one is tried (`session`), and
//! in the end a run is rehearsed in a transaction that is taken back (`rehearsal`): only doing it
//! proves it.
//!
//! Statements here are sent without being prepared: behind a pooler that hands out transactions,
//! prepared ones fail for another reason than the one to be named.

mod facts;
mod rehearsal;
mod rights;
mod session;

use std::time::Duration;

use sqlx::PgConnection;
use sqlx::migrate::MigrateError;
use sqlx::{Connection as _, Row as _};

use super::{Store, StoreError, migrate};
use crate::clock::Clock;
use crate::config::SslMode;
use facts::Facts;

/// All of the proof but the way to the server takes no longer on a database that is alive.
const PATIENCE: Duration = Duration::from_secs(8);

/// Whatever the role's defaults are: somebody else's lock is not waited for long, and nothing of
/// ours outlives the proof.
const BOUNDS: &str = "set lock_timeout = '3s'; set statement_timeout = '7s'";

/// A part of the proof.
#[derive(Debug)]
pub struct Proven {
    /// What it is about, in a word.
    pub part: &'static str,
    /// What was found, in words; or what is to be mended.
    pub found: Result<String, StoreError>,
}

/// How far the ledger's tables are.
enum Version {
    /// There are none yet.
    None,
    /// As this program has them.
    Current,
    /// So many migrations are to come.
    Behind(usize),
}

impl Store {
    /// Tries every part that does not depend on one that failed, in the order in which they are to
    /// be mended.
    pub async fn probe(&self, clock: &dyn Clock) -> Vec<Proven> {
        let mut proven = Vec::new();
        let mut add = |part, found: Result<String, StoreError>| {
            let fine = found.is_ok();
            proven.push(Proven { part, found });
            fine
        };
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(error) => {
                add("database", Err(error));
                return proven;
            }
        };
        let facts = within(async {
            let bounded = sqlx::raw_sql(BOUNDS).execute(&mut connection).await;
            bounded.map_err(StoreError::during("preparing the proof"))?;
            facts::ask(&mut connection).await
        });
        let facts = match facts.await {
            Ok(facts) => facts,
            Err(error) => {
                add("database", Err(error));
                return proven;
            }
        };
        let reached = facts.judge_server().map(|()| self.reached(&facts));
        let session = within(session::prove(self, &mut connection)).await;
        let mut sound = add("database", reached);
        sound &= add(
            "session",
            session.map(|()| {
                "keeps its settings and locks from one transaction to the next".to_owned()
            }),
        );
        if !sound {
            return proven;
        }
        let version = within(version(&mut connection, &facts)).await;
        let described = match &version {
            Ok(Version::None) => Ok("there are no tables yet; the first run makes them".to_owned()),
            Ok(Version::Current) => Ok("the tables are up to date".to_owned()),
            Ok(Version::Behind(count)) => Ok(format!(
                "the tables are of an older version; the next run applies {count} migrations"
            )),
            Err(_) => Err(()),
        };
        let (version, described) = match (version, described) {
            (Ok(version), Ok(described)) => (version, described),
            (Err(error), _) => {
                add("schema", Err(error));
                return proven;
            }
            (Ok(_), Err(())) => return proven,
        };
        let schema = facts.judge_schema().map(|()| {
            let schema = facts.schema.as_deref().unwrap_or_default();
            format!("{schema:?}: {described}")
        });
        if add("schema", schema) {
            let rights = Box::pin(within(self.rights(connection, &facts, &version, clock)));
            add("rights", rights.await);
        }
        proven
    }

    async fn rights(
        &self,
        mut connection: PgConnection,
        facts: &Facts,
        version: &Version,
        clock: &dyn Clock,
    ) -> Result<String, StoreError> {
        facts.judge_limits(self.database().max_connections)?;
        match version {
            Version::None => facts.judge_new_ledger()?,
            Version::Current | Version::Behind(_) => rights::prove(&mut connection, facts).await?,
        }
        let role = &facts.role;
        if let Version::Behind(_) = version {
            let _closed = connection.close().await;
            return Ok(format!("{role:?} owns the tables and may add to them"));
        }
        rehearsal::rehearse(connection, clock.now()).await?;
        Ok(format!(
            "{role:?} did all that a run does, a new partition too, and took it back"
        ))
    }

    /// What can be told without doing it, so that a run that would fail for good is never begun.
    /// Cheap enough for every start.
    pub(super) async fn prove_fit(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let facts = within(facts::ask(connection)).await?;
        facts.judge_server()?;
        facts.judge_schema()?;
        within(session::prove(self, connection)).await?;
        // Somebody's lock on a table is waited for, as the migrations wait for it.
        match version(connection, &facts).await? {
            Version::None => facts.judge_new_ledger(),
            Version::Current => rights::prove(connection, &facts).await,
            // Each of the migrations to come says for itself what it lacks.
            Version::Behind(_) => Ok(()),
        }
    }

    /// Where we are, and how safe the way there is.
    fn reached(&self, facts: &Facts) -> String {
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
        let Facts {
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
                ", which not every name fits into: a new database with encoding UTF8 is better",
            );
        }
        said
    }
}

/// How far the tables are; an error where a newer program brought them further, or a migration was
/// cut off.
async fn version(connection: &mut PgConnection, facts: &Facts) -> Result<Version, StoreError> {
    if facts.ledger_schema.is_none() {
        return Ok(Version::None);
    }
    let rows =
        sqlx::raw_sql("select version, success, checksum from _sqlx_migrations order by version")
            .fetch_all(connection)
            .await
            .map_err(StoreError::during("reading the version of the tables"))?;
    let migrations = migrate::migrations();
    let mut applied = 0;
    for row in rows {
        let read = || -> Result<(i64, bool, Vec<u8>), sqlx::Error> {
            Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
        };
        let (version, success, checksum) =
            read().map_err(StoreError::during("reading the version of the tables"))?;
        let known = migrations.iter().find(|known| known.version == version);
        let fault = match known {
            None => Some(MigrateError::VersionMissing(version)),
            Some(_) if !success => Some(MigrateError::Dirty(version)),
            Some(known) if *known.checksum != *checksum => {
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
        _ if applied == 0 => Version::None,
        0 => Version::Current,
        behind => Version::Behind(behind),
    })
}

async fn within<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or(Err(StoreError::TimedOut {
            operation: "finding out whether a run could do its work".into(),
        }))
}
