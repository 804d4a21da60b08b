//! The ledger's database: opens connections, keeps a pool for reads, and bounds every operation.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Row as _};

use super::connect;
use super::error::StoreError;
use super::transaction::begin_read;
use crate::config;
use crate::shutdown::waits;

/// Time for a single operation. Without it a run would wait forever for a database that vanished
/// without closing the connection.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(2);

/// The ledger's database.
#[derive(Debug, Clone)]
pub struct Store {
    /// The settings with which the last connection was opened.
    database: Arc<Mutex<config::Database>>,
    pub(super) pool: PgPool,
    /// The server process of the connection that was last opened for a run or the migrations.
    pub(super) backend: Arc<AtomicI32>,
}

impl Store {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// When a certificate that the address names cannot be read.
    pub fn new(settings: &config::Database) -> Result<Self, StoreError> {
        let address = &settings.address;
        // The first host, until a connection has shown which one is suitable.
        let host = address.hosts.first().ok_or(StoreError::NoHost)?;
        let options = connect::options(address, host, address.password(host).as_ref())?;
        let notice = Arc::new(connect::notice(address));
        // One connection is the run's and one the leases'; reads share the rest.
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections.saturating_sub(2).max(1))
            .min_connections(0)
            .acquire_timeout(connect::TIMEOUT)
            .idle_timeout(Duration::from_mins(1))
            .after_connect(move |connection, _| {
                let notice = Arc::clone(&notice);
                Box::pin(async move { connect::make_noticing(connection, &notice).await })
            })
            .connect_lazy_with(options);
        Ok(Self {
            database: Arc::new(Mutex::new(settings.clone())),
            pool,
            backend: Arc::default(),
        })
    }

    /// The address for messages: hosts with ports or a socket, and the database's name.
    #[must_use]
    pub fn address(&self) -> String {
        self.database().address.to_string()
    }

    pub(super) fn database(&self) -> config::Database {
        let database = self.database.lock();
        database.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        // Boxed, because every future that contains this large one would become as large.
        let connected = Box::pin(connect::connect(&self.database())).await?;
        // Reads go to the host that was found suitable.
        self.pool.set_connect_options(connected.options);
        if let Some(renewed) = connected.renewed {
            let database = self.database.lock();
            *database.unwrap_or_else(PoisonError::into_inner) = renewed;
        }
        Ok(connected.connection)
    }

    /// A connection for a run or the migrations. [`Store::load_holders`] looks up which sessions it
    /// waits for.
    pub(super) async fn connect_for_work(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect().await?;
        let backend = bounded("asking for the connection's process", async {
            // Not prepared: it comes before a pooler is recognised.
            let asked = sqlx::raw_sql("select pg_backend_pid()").fetch_one(&mut connection);
            asked.await?.try_get(0)
        })
        .await?;
        self.backend.store(backend, Ordering::Relaxed);
        Ok(connection)
    }

    /// Does `work` in a transaction that only reads, over a connection of the pool.
    pub(super) async fn read<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        // Boxed, because every future that contains this large one would become as large.
        let read = Box::pin(async {
            let mut connection = self.pool.acquire().await?;
            let mut transaction = begin_read(&mut connection).await?;
            let found = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok(found)
        });
        bounded(operation, read).await
    }

    /// Checks that Postgres accepts a connection. The pool would report no cause but a timeout.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reach(&self) -> Result<(), StoreError> {
        let connection = self.connect().await?;
        let _closed = connection.close().await;
        Ok(())
    }

    /// Closes idle connections.
    pub async fn close(&self) {
        // A read that waits for a lock must not delay the end of the program.
        let _closed = tokio::time::timeout(waits::CLOSE_POOL, self.pool.close()).await;
    }
}

/// Gives up on an operation after [`OPERATION_TIMEOUT`].
pub(super) async fn bounded<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(OPERATION_TIMEOUT, work)
        .await
        .map_err(|_| StoreError::TimedOut {
            operation: Cow::Borrowed(operation),
        })?
        .map_err(StoreError::during(operation))
}

/// A count as Postgres stores it: it has no unsigned numbers.
pub(super) fn to_db(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count that Postgres has stored.
pub(super) fn from_db(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
