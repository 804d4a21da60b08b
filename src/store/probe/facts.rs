//! What the server says of itself, of the database and of the role.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::retry::Remedy;

use super::super::StoreError;

/// The oldest whose functions can be written as the ledger's are.
const OLDEST: i32 = 14;

const QUESTION: &str = "
    select
        current_user::text as role,
        current_schema()::text as schema,
        current_setting('search_path') as search_path,
        current_setting('server_encoding') as encoding,
        current_setting('server_version') as version,
        current_setting('server_version_num')::integer as version_number,
        pg_is_in_recovery() as standby,
        current_setting('transaction_read_only')::boolean as read_only,
        (select source in ('database', 'user', 'database user', 'client')
         from pg_settings where name = 'default_transaction_read_only') as read_only_on_purpose,
        coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
        (select nspname::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
         where c.oid = to_regclass('_sqlx_migrations')) as ledger_schema,
        (select case when rolsuper or rolconnlimit < 0 then null else rolconnlimit end
         from pg_roles where rolname = current_user) as connections,
        (select version || ', ' || cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls
";

#[derive(Debug, Clone, Copy)]
enum ReadsOnly {
    /// Until it becomes the primary.
    Standby,
    /// By a setting that somebody made for the role, the database or the session.
    OnPurpose,
    /// By the server's own setting.
    ForNow,
}

pub(super) struct Facts {
    pub(super) role: String,
    /// The first of the search path that there is.
    pub(super) schema: Option<String>,
    search_path: String,
    pub(super) encoding: String,
    pub(super) version: String,
    version_number: i32,
    /// Why nothing can be written, where that is so.
    reads_only: Option<ReadsOnly>,
    may_create: bool,
    /// Where the record of migrations is found, if anywhere.
    pub(super) ledger_schema: Option<String>,
    /// How many connections the role may have; none: as many as the server.
    connections: Option<i32>,
    /// Version and cipher, where the connection is encrypted.
    pub(super) tls: Option<String>,
}

pub(super) async fn ask(connection: &mut PgConnection) -> Result<Facts, StoreError> {
    let during = StoreError::during("asking what the server is and what the role may do");
    let row = sqlx::raw_sql(QUESTION).fetch_one(connection).await;
    row.and_then(|row| read(&row)).map_err(during)
}

fn read(row: &PgRow) -> Result<Facts, sqlx::Error> {
    let switch =
        |name| Ok::<_, sqlx::Error>(row.try_get::<Option<bool>, _>(name)?.unwrap_or_default());
    let reads_only = if switch("standby")? {
        Some(ReadsOnly::Standby)
    } else if !switch("read_only")? {
        None
    } else if switch("read_only_on_purpose")? {
        Some(ReadsOnly::OnPurpose)
    } else {
        Some(ReadsOnly::ForNow)
    };
    Ok(Facts {
        role: row.try_get("role")?,
        schema: row.try_get("schema")?,
        search_path: row.try_get("search_path")?,
        encoding: row.try_get("encoding")?,
        version: row.try_get("version")?,
        version_number: row.try_get("version_number")?,
        reads_only,
        may_create: switch("may_create")?,
        ledger_schema: row.try_get("ledger_schema")?,
        connections: row.try_get("connections")?,
        tls: row.try_get("tls")?,
    })
}

fn unfit(remedy: Remedy, problem: String) -> Result<(), StoreError> {
    Err(StoreError::Unfit { remedy, problem })
}

impl Facts {
    /// What no right mends.
    pub(super) fn judge_server(&self) -> Result<(), StoreError> {
        if self.version_number < OLDEST * 10_000 {
            let problem = format!(
                "the server is PostgreSQL {}, and the ledger needs {OLDEST} or later",
                self.version
            );
            return unfit(Remedy::Person, problem);
        }
        if self.encoding == "SQL_ASCII" {
            let problem = "its encoding is SQL_ASCII, in which names are not kept apart from garbage; make a database \
                           with: create database NAME encoding 'UTF8' template template0";
            return unfit(Remedy::Person, problem.to_owned());
        }
        match self.reads_only {
            None => Ok(()),
            Some(ReadsOnly::Standby) => {
                let problem = "the server is a standby, which only reads; name its primary, or all hosts and \
                               target_session_attrs=read-write, in database.url";
                unfit(Remedy::Time, problem.to_owned())
            }
            Some(ReadsOnly::OnPurpose) => {
                let problem = format!(
                    "default_transaction_read_only is on for the role, the database or the session; \
                     alter role {:?} reset default_transaction_read_only, or the same for the database",
                    self.role
                );
                unfit(Remedy::Person, problem)
            }
            Some(ReadsOnly::ForNow) => {
                let problem = "the server only reads for now: default_transaction_read_only is on, as hosted servers \
                               have it whose disk is full";
                unfit(Remedy::Time, problem.to_owned())
            }
        }
    }

    /// Whether there is one place for the ledger.
    pub(super) fn judge_schema(&self) -> Result<(), StoreError> {
        let Self {
            role, search_path, ..
        } = self;
        let Some(schema) = &self.schema else {
            let problem = format!(
                "no schema of the search path ({search_path}) is there for the role {role:?}; create one \
                 (create schema NAME authorization {role:?}), or mend the search path in database.url \
                 (options=-csearch_path%3DNAME)"
            );
            return unfit(Remedy::Person, problem);
        };
        match &self.ledger_schema {
            Some(ledger) if ledger != schema => {
                let problem = format!(
                    "the ledger is in the schema {ledger:?}, and new tables would be made in {schema:?}; put {ledger:?} \
                     first in the search path, which is {search_path}"
                );
                unfit(Remedy::Person, problem)
            }
            _ => Ok(()),
        }
    }

    /// Whether tables could be made.
    pub(super) fn judge_new_ledger(&self) -> Result<(), StoreError> {
        if self.may_create {
            return Ok(());
        }
        let (role, schema) = (&self.role, self.schema.as_deref().unwrap_or_default());
        let problem = format!(
            "the role {role:?} may not create tables in the schema {schema:?} (SQLSTATE 42501); as the schema's owner: \
             grant create on schema {schema:?} to {role:?}"
        );
        unfit(Remedy::Person, problem)
    }

    /// Whether the role may have as many connections as the program opens.
    pub(super) fn judge_limits(&self, wanted: u32) -> Result<(), StoreError> {
        // The one of a run and one to read by are the least.
        let least = i32::try_from(wanted.max(2)).unwrap_or(i32::MAX);
        match self.connections {
            Some(allowed) if allowed < least => {
                let role = &self.role;
                let problem = format!(
                    "the role {role:?} may have {allowed} connections, and the program opens up to {least}; alter role \
                     {role:?} connection limit {least}, or lower database.max_connections (2 is the least)"
                );
                unfit(Remedy::Person, problem)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn may_create(&self) -> bool {
        self.may_create
    }
}
