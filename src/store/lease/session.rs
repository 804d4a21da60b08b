//! The statements about leases, over the keeper's one connection.

use std::sync::Arc;

use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};

use super::super::error::StoreError;
use super::super::pool::Store;
use super::super::transaction::begin_read;
use super::record::{LeaseRecord, select_leases};
use super::{Held, Instance, LeaseName, LeaseTimes, Previous};
use crate::shutdown::waits;

/// A takeover waits for a lock no longer than that: a transaction of the holder before may still be
/// writing. It is tried again.
const TAKE: &str = "
    begin isolation level read committed read write;
    set local synchronous_commit = on;
    set local lock_timeout = '2s';
    set local statement_timeout = '5s';
    set local idle_in_transaction_session_timeout = '5s'
";

/// A renewal that a crash of the server undoes only ends the lease earlier, so that none waits for
/// the disk or a standby.
const RENEW: &str = "
    begin isolation level read committed read write;
    set local synchronous_commit = off;
    set local lock_timeout = '5s';
    set local statement_timeout = '5s';
    set local idle_in_transaction_session_timeout = '5s'
";

const LOCK_NOT_AVAILABLE: &str = "55P03";

/// The keeper's connection, and what tells its session from others.
#[derive(Debug)]
pub(super) struct KeeperSession {
    connection: PgConnection,
    pid: i32,
    started_at: DateTime<Utc>,
    server_started_at: DateTime<Utc>,
}

impl KeeperSession {
    pub(super) async fn open(store: &Store) -> Result<Self, StoreError> {
        let mut connection = store.connect().await?;
        let row = sqlx::query!(
            r#"
            select
                pg_backend_pid() as "pid!",
                (
                    select backend_start
                    from pg_stat_activity
                    where pid = pg_backend_pid()
                ) as "started_at!",
                pg_postmaster_start_time() as "server_started_at!"
            "#
        )
        .fetch_one(&mut connection)
        .await
        .map_err(StoreError::during("asking for the connection's process"))?;
        store.keeper.store(row.pid, Ordering::Relaxed);
        Ok(Self {
            connection,
            pid: row.pid,
            started_at: row.started_at,
            server_started_at: row.server_started_at,
        })
    }

    pub(super) fn server_started_at(&self) -> DateTime<Utc> {
        self.server_started_at
    }

    pub(super) async fn close(self) {
        // If the server does not learn of it, it notices the closed socket.
        let _closed = tokio::time::timeout(waits::CLOSE_POOL, self.connection.close()).await;
    }

    pub(super) async fn look(
        &mut self,
        name: LeaseName,
        times: LeaseTimes,
    ) -> Result<Option<LeaseRecord>, sqlx::Error> {
        let mut transaction = begin_read(&mut self.connection).await?;
        let found = select_leases(&mut transaction, Some(name), times).await?;
        transaction.commit().await?;
        Ok(found.into_iter().next())
    }

    /// Makes the row of a lease that was deleted.
    pub(super) async fn mend(&mut self, name: LeaseName) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin_with(TAKE).await?;
        sqlx::query!(
            "
            insert into lease (name)
            values ($1)
            on conflict (name) do nothing
            ",
            name.as_str()
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Ends the sessions that a holder has left behind, where the role may. A transaction of theirs
    /// would hold up the takeover.
    pub(super) async fn end_sessions(&mut self, name: LeaseName) {
        let query = sqlx::query!(
            r#"
            select pg_terminate_backend(a.pid) as "ended!"
            from lease as l
            inner join pg_stat_activity as a
                on (a.pid = l.keeper_pid and a.backend_start = l.keeper_started_at)
                    or (a.pid = l.writer_pid and a.backend_start = l.writer_started_at)
            where l.name = $1
                and l.server_started_at = pg_postmaster_start_time()
                and a.pid <> pg_backend_pid()
            "#,
            name.as_str()
        );
        // Without the right to do so, the takeover waits for their transactions to end.
        let _ended = query.fetch_all(&mut self.connection).await;
    }

    /// Takes a lease that is still as `found`. Returns its epoch; none if it has changed or its
    /// row is locked.
    pub(super) async fn take(
        &mut self,
        found: &LeaseRecord,
        instance: &Instance,
        times: LeaseTimes,
    ) -> Result<Option<i64>, sqlx::Error> {
        let query = sqlx::query_scalar!(
            "
            update lease
            set epoch = epoch + 1,
                holder = $1,
                host = $2,
                acquired_at = clock_timestamp(),
                renewed_at = clock_timestamp(),
                expires_at = clock_timestamp() + make_interval(secs => $3),
                server_started_at = $4,
                keeper_pid = $5,
                keeper_started_at = $6,
                writer_pid = null,
                writer_started_at = null
            where name = $7
                and epoch = $8
                and holder is not distinct from $9
                and renewed_at is not distinct from $10
            returning epoch
            ",
            instance.id,
            instance.host,
            times.lasts.as_secs_f64(),
            self.server_started_at,
            self.pid,
            self.started_at,
            found.name,
            found.epoch,
            found.holder,
            found.renewed_at
        );
        let mut transaction = self.connection.begin_with(TAKE).await?;
        let taken = match query.fetch_optional(&mut *transaction).await {
            Err(sqlx::Error::Database(error))
                if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) =>
            {
                transaction.rollback().await?;
                return Ok(None);
            }
            taken => taken?,
        };
        transaction.commit().await?;
        Ok(taken)
    }

    /// Renews leases. Returns the names and epochs of those that are still the instance's.
    pub(super) async fn renew(
        &mut self,
        held: &[Arc<Held>],
        instance: &Instance,
        times: LeaseTimes,
    ) -> Result<Vec<(String, i64)>, sqlx::Error> {
        let names: Vec<String> = held.iter().map(|held| held.name.to_string()).collect();
        let epochs: Vec<i64> = held.iter().map(|held| held.epoch).collect();
        let query = sqlx::query!(
            "
            update lease as l
            set renewed_at = clock_timestamp(),
                expires_at = clock_timestamp() + make_interval(secs => $4),
                server_started_at = $5,
                keeper_pid = $6,
                keeper_started_at = $7
            from unnest($2::varchar[], $3::bigint[]) as h (name, epoch)
            where l.holder = $1
                and l.name = h.name
                and l.epoch = h.epoch
            returning l.name, l.epoch
            ",
            instance.id,
            &names,
            &epochs,
            times.lasts.as_secs_f64(),
            self.server_started_at,
            self.pid,
            self.started_at
        );
        let mut transaction = self.connection.begin_with(RENEW).await?;
        let renewed = query.fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        let renewed = renewed.into_iter().map(|row| (row.name, row.epoch));
        Ok(renewed.collect())
    }

    /// Gives a lease back. Who held it, and when, is kept for those who ask.
    pub(super) async fn resign(
        &mut self,
        held: &Held,
        instance: &Instance,
    ) -> Result<(), sqlx::Error> {
        let query = sqlx::query!(
            "
            update lease
            set holder = null
            where name = $1
                and epoch = $2
                and holder = $3
            ",
            held.name.as_str(),
            held.epoch,
            instance.id
        );
        let mut transaction = self.connection.begin_with(TAKE).await?;
        query.execute(&mut *transaction).await?;
        transaction.commit().await
    }

    /// How `found` may be taken by `instance`, which does not hold it as far as it knows: a lease
    /// that bears its name was not given back when the database was away.
    pub(super) fn judge(found: &LeaseRecord, instance: &Instance) -> Option<Previous> {
        if found.holder == Some(instance.id) {
            return Some(Previous::Resigned);
        }
        found.previous()
    }
}
