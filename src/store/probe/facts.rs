//! What the server reports of itself, the database and the role.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::retry::Remedy;

use super::super::error::StoreError;

/// The connections that the program cannot do without: a run's own, that of the leases, and one to
/// read through.
pub(super) const LEAST_CONNECTIONS: u32 = 3;

/// The oldest major version that the migrations work with: they write functions with `return`.
const MIN_MAJOR_VERSION: i32 = 14;

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
        (
            select source in ('database', 'user', 'database user', 'client')
            from pg_settings
            where name = 'default_transaction_read_only'
        ) as read_only_on_purpose,
        coalesce(has_schema_privilege(current_schema(), 'create'), false) as may_create,
        (
            select n.nspname::text
            from pg_class as c
            inner join pg_namespace as n on n.oid = c.relnamespace
            where c.oid = to_regclass('_sqlx_migrations')
        ) as ledger_schema,
        (
            select case when rolsuper or rolconnlimit < 0 then null else rolconnlimit end
            from pg_roles
            where rolname = current_user
        ) as connections,
        (
            select version || ', ' || cipher
            from pg_stat_ssl
            where pid = pg_backend_pid()
                and ssl
        ) as tls
";

/// Why nothing can be written.
#[derive(Debug, Clone, Copy)]
enum ReadOnly {
    /// The server is a standby, until it becomes the primary.
    Standby,
    /// A setting for the role, the database or the session, which a person has made.
    OnPurpose,
    /// The server's own setting, which may change by itself.
    ForNow,
}

pub(in crate::store) struct ServerFacts {
    pub(super) role: String,
    /// The first existing schema of the search path: new tables are created in it.
    pub(super) schema: Option<String>,
    search_path: String,
    pub(super) encoding: String,
    pub(super) version: String,
    version_number: i32,
    /// None if the server accepts writes.
    read_only: Option<ReadOnly>,
    may_create: bool,
    /// The schema of the ledger, which is where the record of migrations is found.
    pub(super) ledger_schema: Option<String>,
    /// The role's connection limit, if it has one.
    connections: Option<i32>,
    /// Version and cipher if the connection is encrypted.
    pub(super) tls: Option<String>,
}

pub(super) async fn ask(connection: &mut PgConnection) -> Result<ServerFacts, StoreError> {
    let during = StoreError::during("asking what the server is and what the role may do");
    let row = sqlx::raw_sql(QUESTION).fetch_one(connection).await;
    row.and_then(|row| read(&row)).map_err(during)
}

fn read(row: &PgRow) -> Result<ServerFacts, sqlx::Error> {
    let flag =
        |name| Ok::<_, sqlx::Error>(row.try_get::<Option<bool>, _>(name)?.unwrap_or_default());
    let read_only = if flag("standby")? {
        Some(ReadOnly::Standby)
    } else if !flag("read_only")? {
        None
    } else if flag("read_only_on_purpose")? {
        Some(ReadOnly::OnPurpose)
    } else {
        Some(ReadOnly::ForNow)
    };
    Ok(ServerFacts {
        role: row.try_get("role")?,
        schema: row.try_get("schema")?,
        search_path: row.try_get("search_path")?,
        encoding: row.try_get("encoding")?,
        version: row.try_get("version")?,
        version_number: row.try_get("version_number")?,
        read_only,
        may_create: flag("may_create")?,
        ledger_schema: row.try_get("ledger_schema")?,
        connections: row.try_get("connections")?,
        tls: row.try_get("tls")?,
    })
}

fn unfit(remedy: Remedy, problem: String) -> Result<(), StoreError> {
    Err(StoreError::Unfit { remedy, problem })
}

impl ServerFacts {
    /// Checks version, encoding and whether the server accepts writes.
    pub(super) fn judge_server(&self) -> Result<(), StoreError> {
        if self.version_number < MIN_MAJOR_VERSION * 10_000 {
            let problem = format!(
                "the server is PostgreSQL {}, and the ledger needs {MIN_MAJOR_VERSION} or later",
                self.version
            );
            return unfit(Remedy::Person, problem);
        }
        if self.encoding == "SQL_ASCII" {
            let problem = "its encoding is SQL_ASCII, which accepts invalid text as names; make a \
                           database with: create database NAME encoding 'UTF8' template template0";
            return unfit(Remedy::Person, problem.to_owned());
        }
        match self.read_only {
            None => Ok(()),
            Some(ReadOnly::Standby) => {
                let problem = "the server is a standby, which only reads; name its primary, or \
                               all hosts and target_session_attrs=read-write, in database.url";
                unfit(Remedy::Time, problem.to_owned())
            }
            Some(ReadOnly::OnPurpose) => {
                let problem = format!(
                    "default_transaction_read_only is on for the role, the database or the \
                     session; alter role {:?} reset default_transaction_read_only, or the same for \
                     the database",
                    self.role
                );
                unfit(Remedy::Person, problem)
            }
            Some(ReadOnly::ForNow) => {
                let problem = "the server only reads for now: default_transaction_read_only is \
                               on, as hosted servers have it whose disk is full";
                unfit(Remedy::Time, problem.to_owned())
            }
        }
    }

    /// Checks that there is one schema for the ledger.
    pub(super) fn judge_schema(&self) -> Result<(), StoreError> {
        let Self {
            role, search_path, ..
        } = self;
        let Some(schema) = &self.schema else {
            let problem = format!(
                "no schema of the search path ({search_path}) exists for the role {role:?}; \
                 create one (create schema NAME authorization {role:?}), or mend the search path \
                 in database.url (options=-csearch_path%3DNAME)"
            );
            return unfit(Remedy::Person, problem);
        };
        match &self.ledger_schema {
            Some(ledger) if ledger != schema => {
                let problem = format!(
                    "the ledger is in the schema {ledger:?}, and new tables would be created in \
                     {schema:?}; put {ledger:?} first in the search path, which is {search_path}"
                );
                unfit(Remedy::Person, problem)
            }
            _ => Ok(()),
        }
    }

    /// Checks that the role may create the tables.
    pub(super) fn judge_new_ledger(&self) -> Result<(), StoreError> {
        if self.may_create {
            return Ok(());
        }
        let (role, schema) = (&self.role, self.schema.as_deref().unwrap_or_default());
        let problem = format!(
            "the role {role:?} may not create tables in the schema {schema:?} (SQLSTATE 42501); as \
             the schema's owner: grant create on schema {schema:?} to {role:?}"
        );
        unfit(Remedy::Person, problem)
    }

    /// Checks that the role may have as many connections as the program opens.
    pub(super) fn judge_limits(&self, wanted: u32) -> Result<(), StoreError> {
        let least = i32::try_from(wanted.max(LEAST_CONNECTIONS)).unwrap_or(i32::MAX);
        match self.connections {
            Some(allowed) if allowed < least => {
                let role = &self.role;
                let problem = format!(
                    "the role {role:?} may have {allowed} connections, and the program opens up to \
                     {least}; alter role {role:?} connection limit {least}, or lower \
                     database.max_connections ({LEAST_CONNECTIONS} is the least)"
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
