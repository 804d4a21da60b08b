//! Whom a run waits for: the holder of the run lease, or sessions that lock a table.

use std::fmt;
use std::sync::atomic::Ordering;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;

use super::error::StoreError;
use super::lease::LeaseRecord;
use super::pool::Store;

/// A session of the server that holds a lock. Postgres hides some of it from other roles.
#[derive(Debug, Clone)]
pub struct Holder {
    backend: i32,
    application: Option<String>,
    role: Option<String>,
    address: Option<String>,
    state: Option<String>,
    since: Option<DateTime<Utc>>,
}

impl Holder {
    /// The id of the session's server process.
    #[must_use]
    pub fn backend(&self) -> i32 {
        self.backend
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Postgres reports process 0 for a prepared transaction that was never finished.
        if self.backend == 0 {
            return f.write_str("a prepared transaction (see pg_prepared_xacts)");
        }
        let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match known(&self.application) {
            Some(application) => f.write_str(&without_controls(&application))?,
            None => f.write_str("a session")?,
        }
        if let Some(role) = known(&self.role) {
            write!(f, " of role {}", without_controls(&role))?;
        }
        match known(&self.address) {
            Some(address) => write!(f, " from {address}")?,
            None => f.write_str(" on the server's machine")?,
        }
        write!(f, ", backend {}", self.backend)?;
        if let Some(state) = known(&self.state) {
            write!(f, ", {state}")?;
        }
        if let Some(since) = self.since {
            let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
            write!(f, " since {since}")?;
        } else if self.state.is_none() && self.role.is_some() {
            f.write_str(" (only a member of pg_read_all_stats is told since when)")?;
        }
        Ok(())
    }
}

/// A session chooses its own names, which could hold escape sequences for the terminal.
fn without_controls(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A run of another process.
#[derive(Debug, Clone)]
pub struct OtherRun {
    holder: LeaseRecord,
    /// None until the run is recorded.
    run: Option<RecordedRun>,
}

#[derive(Debug, Clone)]
struct RecordedRun {
    run_id: i64,
    kind: String,
    started_at: DateTime<Utc>,
}

impl fmt::Display for OtherRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(RecordedRun {
            run_id,
            kind,
            started_at,
        }) = &self.run
        {
            let began = started_at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let host = self.holder.host.as_deref().unwrap_or("unknown");
            return write!(f, "run {run_id} ({kind}), begun at {began}, by host {host}");
        }
        self.holder.fmt(f)
    }
}

impl Store {
    /// The sessions whose locks block the connection that was opened last for a run or the
    /// migrations, or the one that renews leases; empty if none does.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_holders(&self) -> Result<Vec<Holder>, StoreError> {
        let own = [&self.backend, &self.keeper].map(|backend| backend.load(Ordering::Relaxed));
        self.read("asking who holds a lock", async |connection| {
            let mut holders = Vec::new();
            for waiting in own {
                if waiting != 0 {
                    holders.extend(select_holders(connection, waiting).await?);
                }
            }
            Ok(holders)
        })
        .await
    }

    /// Whether the connection that was opened last for a run or the migrations still has its
    /// session on the server. The server ends a session whose network is cut; the program's end of
    /// the connection would wait on.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn has_work_session(&self) -> Result<bool, StoreError> {
        let backend = self.backend.load(Ordering::Relaxed);
        let query = "select exists (select from pg_stat_activity where pid = $1)";
        let query = sqlx::query_scalar(query).bind(backend);
        let has: bool = self
            .read("asking for a session", async |connection| {
                query.fetch_one(connection).await
            })
            .await?;
        Ok(has || backend == 0)
    }

    /// The sessions that use the ledger's tables or views, and for which a migration may have to
    /// wait; the oldest transactions first.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_users(&self) -> Result<Vec<Holder>, StoreError> {
        let query = sqlx::query_as!(
            Holder,
            r#"
            select
                a.pid as "backend!",
                a.application_name as application,
                a.usename::text as role,
                host(a.client_addr) as address,
                a.state,
                a.xact_start as since
            from pg_stat_activity as a
            where a.pid in (
                select l.pid
                from pg_locks as l
                inner join pg_class as c on c.oid = l.relation
                inner join pg_database as d on d.oid = l.database
                where l.granted
                    and l.pid <> pg_backend_pid()
                    and d.datname = current_database()
                    and c.relnamespace = current_schema()::regnamespace
                    and c.relkind in ('r', 'p', 'v')
            )
            order by a.xact_start, a.pid
            "#
        );
        self.read("asking who uses the tables", async |connection| {
            query.fetch_all(connection).await
        })
        .await
    }

    /// The run that another process has under way, as the holder of the lease has recorded it.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_other_run(&self, holder: LeaseRecord) -> Result<OtherRun, StoreError> {
        let query = sqlx::query_as!(
            RecordedRun,
            "
            select run_id, kind, started_at
            from sync_run
            where outcome = 'running'
            order by run_id desc
            limit 1
            "
        );
        let run = self.read("asking which run is under way", async |connection| {
            query.fetch_optional(connection).await
        });
        let run = run.await?;
        Ok(OtherRun { holder, run })
    }
}

async fn select_holders(
    connection: &mut PgConnection,
    waiting: i32,
) -> Result<Vec<Holder>, sqlx::Error> {
    sqlx::query_as!(
        Holder,
        r#"
        select
            b.pid as "backend!",
            a.application_name as application,
            a.usename::text as role,
            host(a.client_addr) as address,
            a.state,
            a.xact_start as since
        from (select distinct unnest(pg_blocking_pids($1))) as b (pid)
        left join pg_stat_activity as a on a.pid = b.pid
        order by b.pid
        "#,
        waiting
    )
    .fetch_all(connection)
    .await
}
