//! The ledger's database: opens connections, keeps a pool for reads, and bounds every operation.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection, Postgres, Row as _};

use super::connect;
use super::error::StoreError;
use super::transaction::{begin_aside, begin_read};
use crate::config;
use crate::shutdown::waits;

/// Time for a single operation of a run. A cut connection is noticed sooner, by other means.
const OPERATION_TIMEOUT: Duration = Duration::from_mins(2);

/// Time for an operation apart from a run, so that a cut connection is noticed within 20 s, also by
/// a busy machine.
const APART_TIMEOUT: Duration = Duration::from_secs(15);

/// Time for a connection of the pool. Leaves some of [`APART_TIMEOUT`] for another host.
const POOL_TIMEOUT: Duration = Duration::from_secs(5);

/// The ledger's database.
#[derive(Debug, Clone)]
pub struct Store {
    /// The settings with which the last connection was opened.
    database: Arc<Mutex<config::Database>>,
    pub(super) pool: PgPool,
    /// The server process of the connection that was last opened for a run or the migrations; 0
    /// while it is being opened.
    pub(super) backend: Arc<AtomicI32>,
    /// The server process of the connection that renews leases; 0 if none ever did.
    pub(super) keeper: Arc<AtomicI32>,
}

/// The connections that reads share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolConnections {
    /// Open, and used by nobody.
    pub idle: usize,
    /// Used, or about to be.
    pub used: usize,
    /// How many there may be.
    pub max: usize,
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
            .acquire_timeout(POOL_TIMEOUT)
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
            keeper: Arc::default(),
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
        // The one before has ended, and must not be looked for while this one is opened.
        self.backend.store(0, Ordering::Relaxed);
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
        // Boxed, as in `connect`.
        let reading = Box::pin(async {
            let mut connection = self.acquire(operation).await?;
            let read = async {
                let mut transaction = begin_read(&mut connection).await?;
                let found = work(&mut transaction).await?;
                transaction.commit().await?;
                Ok(found)
            };
            read.await.map_err(StoreError::during(operation))
        });
        in_time(operation, reading).await
    }

    /// A connection of the pool. If none can be had as the last one was, host and password are
    /// looked up again.
    async fn acquire(
        &self,
        operation: &'static str,
    ) -> Result<PoolConnection<Postgres>, StoreError> {
        if let Ok(connection) = self.pool.acquire().await {
            return Ok(connection);
        }
        self.reach().await?;
        let acquired = self.pool.acquire().await;
        acquired.map_err(StoreError::during(operation))
    }

    /// Does `work` in a transaction of its own that writes what is no part of a run.
    pub(super) async fn write_aside<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, StoreError> {
        // Boxed, as in `connect`.
        let writing = Box::pin(async {
            let mut connection = self.connect().await?;
            let write = async {
                let mut transaction = begin_aside(&mut connection).await?;
                let done = work(&mut transaction).await?;
                transaction.commit().await?;
                Ok(done)
            };
            let done = write.await.map_err(StoreError::during(operation))?;
            let _closed = connection.close().await;
            Ok(done)
        });
        in_time(operation, writing).await
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

    /// The connections of the pool.
    #[must_use]
    pub fn connections(&self) -> PoolConnections {
        let idle = self.pool.num_idle();
        PoolConnections {
            idle,
            used: (self.pool.size() as usize).saturating_sub(idle),
            max: self.pool.options().get_max_connections() as usize,
        }
    }

    /// Closes idle connections.
    pub async fn close(&self) {
        // A read that waits for a lock must not delay the end of the program.
        let _closed = tokio::time::timeout(waits::CLOSE_POOL, self.pool.close()).await;
    }
}

/// Gives up on an operation apart from a run after [`APART_TIMEOUT`].
pub(super) async fn in_time<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(APART_TIMEOUT, work)
        .await
        .unwrap_or(Err(StoreError::TimedOut {
            operation: Cow::Borrowed(operation),
        }))
}

/// Gives up on an operation of a run after [`OPERATION_TIMEOUT`].
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
