//! The one connection that the status address reads through. It is separate from the pool, so that
//! HTTP requests cannot take the connections a run needs. The first request opens it.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;

use super::error::StoreError;
use super::pool::Store;
use super::read::{RunRecord, select_last_runs};
use super::transaction::begin_read;
use crate::shutdown::waits;

/// Reads for the status address.
#[derive(Debug)]
pub(crate) struct Reader {
    store: Store,
    connection: Mutex<Option<PgConnection>>,
}

impl Reader {
    /// Opens nothing yet.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            connection: Mutex::default(),
        }
    }

    /// The newest runs, newest first, if they arrive within `timeout`.
    ///
    /// # Errors
    /// When Postgres is away, refuses or takes longer.
    pub(crate) async fn load_last_runs(
        &self,
        limit: i64,
        timeout: Duration,
    ) -> Result<Vec<RunRecord>, StoreError> {
        const OPERATION: &str = "reading the last runs";
        let asked = tokio::time::timeout(timeout, async {
            let mut kept = self.connection.lock().await;
            // Taken out, so that a query that is given up, which may be waiting for a lock, closes
            // its connection.
            if let Some(mut connection) = kept.take()
                && let Ok(runs) = ask(&mut connection, limit, timeout).await
            {
                *kept = Some(connection);
                return Ok(runs);
            }
            // There was none, or it has broken since the last request.
            let mut connection = self.store.connect().await?;
            let runs = ask(&mut connection, limit, timeout)
                .await
                .map_err(StoreError::during(OPERATION))?;
            *kept = Some(connection);
            Ok(runs)
        });
        asked.await.unwrap_or(Err(StoreError::TimedOut {
            operation: OPERATION.into(),
        }))
    }

    /// Closes the connection; the next request opens another.
    pub(crate) async fn rest(&self) {
        if let Ok(mut kept) = self.connection.try_lock()
            && let Some(connection) = kept.take()
        {
            // If the server does not learn of it, it notices the closed socket.
            let _closed = tokio::time::timeout(waits::CLOSE_POOL, connection.close()).await;
        }
    }
}

async fn ask(
    connection: &mut PgConnection,
    limit: i64,
    timeout: Duration,
) -> Result<Vec<RunRecord>, sqlx::Error> {
    let mut transaction = begin_read(connection).await?;
    // The server gives up shortly after the caller, so that no abandoned query keeps a process
    // busy. For this transaction only: behind a pooler the next may be another client's.
    let bound = (timeout + Duration::from_secs(1)).as_millis();
    let bound = format!("set local statement_timeout = {bound}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(bound))
        .execute(&mut *transaction)
        .await?;
    let runs = select_last_runs(&mut transaction, limit).await?;
    transaction.commit().await?;
    Ok(runs)
}
