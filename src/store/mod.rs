//! Everything Postgres: the only SQL. Never calls out, never sleeps, never retries; it says what a
//! failure asks for. `Store` opens connections and reads, `RunLock` is the one connection that a
//! run writes through.

mod batch;
mod connect;
mod consent;
mod customers;
mod error;
mod holders;
mod locale;
mod migrate;
mod probe;
mod read;
mod resume;
mod run_lock;
mod runs;
mod status_reader;

use std::borrow::Cow;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

pub use customers::{DueCustomer, PartnerListDiff};
pub use error::{Cause, StoreError};
pub use holders::{Holder, OtherRun};
pub use locale::conflicting_locale;
pub use probe::ProbedPart;
pub use read::{Experience, Freshness, LastFinish, RunRecord};
pub use resume::Unfinished;
pub use run_lock::RunLock;
pub use runs::{DatedPass, FinishedRun, NewRun, RunKind, RunOutcome};
pub(crate) use status_reader::Reader;

use crate::config;
use crate::shutdown::waits;

/// No single operation takes longer on a database that is alive.
const PATIENCE: Duration = Duration::from_mins(2);

/// The way to the ledger's database.
#[derive(Debug, Clone)]
pub struct Store {
    /// As it was when a connection last came about.
    database: Arc<Mutex<config::Database>>,
    pool: PgPool,
    /// The server's process for the connection that was last opened for a run or the migrations.
    backend: Arc<AtomicI32>,
}

impl Store {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// When a certificate that the address names cannot be read.
    pub fn new(settings: &config::Database) -> Result<Self, StoreError> {
        let address = &settings.address;
        // Of several hosts the first, until one is found that will do.
        let host = address.hosts.first().ok_or(StoreError::NoHost)?;
        let options = connect::options(address, host, address.password(host).as_ref())?;
        // One connection is the run's; readers share the rest.
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections.saturating_sub(1).max(1))
            .min_connections(0)
            .acquire_timeout(connect::TIMEOUT)
            .idle_timeout(Duration::from_mins(1))
            .connect_lazy_with(options);
        Ok(Self {
            database: Arc::new(Mutex::new(settings.clone())),
            pool,
            backend: Arc::default(),
        })
    }

    /// Where the database is, for a person: hosts with ports or a socket, and its name.
    #[must_use]
    pub fn address(&self) -> String {
        self.database().address.to_string()
    }

    fn database(&self) -> config::Database {
        let database = self.database.lock();
        database.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        // Large, and in the midst of futures that would all become as large.
        let connected = Box::pin(connect::connect(&self.database())).await?;
        // Readers go where this one went.
        self.pool.set_connect_options(connected.options);
        if let Some(renewed) = connected.renewed {
            let database = self.database.lock();
            *database.unwrap_or_else(PoisonError::into_inner) = renewed;
        }
        Ok(connected.connection)
    }

    /// A connection for a run or the migrations, whose waits for locks are told.
    async fn connect_for_work(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.connect().await?;
        let asked = sqlx::query_scalar!(r#"select pg_backend_pid() as "pid!""#);
        let asked = asked.fetch_one(&mut connection);
        let backend = bounded("asking for the connection's number", asked).await?;
        self.backend.store(backend, Ordering::Relaxed);
        Ok(connection)
    }

    /// Finds out whether Postgres lets us in; a pool would only say that it waited in vain.
    ///
    /// # Errors
    /// When it does not.
    pub async fn reach(&self) -> Result<(), StoreError> {
        let connection = self.connect().await?;
        let _closed = connection.close().await;
        Ok(())
    }

    /// Ends idle connections politely.
    pub async fn close(&self) {
        // A reader that waits for somebody else's lock must not hold up the end of the program.
        let _closed = tokio::time::timeout(waits::CLOSE_POOL, self.pool.close()).await;
    }
}

/// Bounds an operation: a database that vanished without a word must not hold us for ever.
async fn bounded<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| StoreError::TimedOut {
            operation: Cow::Borrowed(operation),
        })?
        .map_err(StoreError::during(operation))
}

/// Postgres has no unsigned numbers.
fn to_db(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as Postgres keeps it.
fn from_db(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
