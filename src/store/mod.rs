//! Everything Postgres: the only SQL. Never calls out, never sleeps, never retries; it says what a failure asks for.
//! `Store` opens connections and reads, `RunLock` is the one connection that a run writes through.

mod consent;
mod copy;
mod deployment;
mod digest;
mod error;
mod listing;
mod months;
mod names;
mod outcomes;
mod partitions;
mod payload;
mod resume;
mod runs;
mod status;
mod usage;

use std::str::FromStr as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

pub use error::{Cause, StoreError};
pub use listing::{Listing, Urgency};
pub use resume::Unfinished;
pub use runs::{DatedPass, FinishedRun, NewRun, RunKind, RunLock, RunOutcome};
pub use status::{Experience, Freshness, RunRecord};

use crate::config;

/// No single operation takes longer on a database that is alive.
const PATIENCE: Duration = Duration::from_mins(2);

/// Opening a connection takes no longer on a database that is alive.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Readers are waited for no longer than this at the end.
const GOODBYE: Duration = Duration::from_secs(1);

/// The way to the ledger's database.
#[derive(Debug, Clone)]
pub struct Store {
    options: PgConnectOptions,
    pool: PgPool,
}

impl Store {
    /// Opens nothing yet.
    ///
    /// # Errors
    /// When the URL cannot be read.
    pub fn new(settings: &config::Database) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(settings.url.expose_secret())
            .map_err(|_| StoreError::Url)?
            .application_name("seatledger")
            .disable_statement_logging();
        // One connection is the run's; readers share the rest.
        let pool = PgPoolOptions::new()
            .max_connections(settings.max_connections.saturating_sub(1).max(1))
            .min_connections(0)
            .acquire_timeout(CONNECT_PATIENCE)
            .idle_timeout(Duration::from_mins(1))
            .connect_lazy_with(options.clone());
        Ok(Self { options, pool })
    }

    async fn connect(&self) -> Result<PgConnection, StoreError> {
        const OPERATION: &str = "connecting as database.url says";
        tokio::time::timeout(CONNECT_PATIENCE, PgConnection::connect_with(&self.options))
            .await
            .map_err(|_| StoreError::TimedOut {
                operation: OPERATION,
            })?
            .map_err(StoreError::during(OPERATION))
    }

    /// Brings tables and views up to date. Two processes may do so at once: the second waits.
    ///
    /// # Errors
    /// When Postgres is away or refuses, or was brought further by a newer version of the program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        // Whatever the server's or the role's default is: on a large ledger a migration may take minutes, and cut off it
        // would begin anew for ever.
        sqlx::raw_sql("set statement_timeout = 0")
            .execute(&mut connection)
            .await
            .map_err(StoreError::during("preparing the migrations"))?;
        sqlx::migrate!()
            .run(&mut connection)
            .await
            .map_err(StoreError::migrating)?;
        names::adopt(&mut connection)
            .await
            .map_err(StoreError::during("adopting the ledger's names"))?;
        // Nothing is lost by a goodbye that does not arrive.
        let _closed = connection.close().await;
        Ok(())
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

    /// Finds out whether Postgres lets us in and lets us create tables.
    ///
    /// # Errors
    /// When it does not.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        bounded("creating a table", async {
            let mut transaction = connection.begin().await?;
            sqlx::raw_sql("create table seatledger_probe (one integer)")
                .execute(&mut *transaction)
                .await?;
            transaction.rollback().await
        })
        .await
    }

    /// Ends idle connections politely.
    pub async fn close(&self) {
        // A reader that waits for somebody else's lock must not hold up the end of the program.
        let _closed = tokio::time::timeout(GOODBYE, self.pool.close()).await;
    }
}

/// Bounds an operation: a database that vanished without a word must not hold us for ever.
async fn bounded<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .map_err(|_| StoreError::TimedOut { operation })?
        .map_err(StoreError::during(operation))
}
