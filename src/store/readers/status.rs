//! The one connection that the status address reads through. It is separate from the pool, so that
//! what it reads cannot take a connection that a run needs.

use std::io::ErrorKind;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use crate::shutdown::waits;
use crate::store::error::StoreError;
use crate::store::overview::{OPERATION, Overview, RUNS_TIMEOUT, in_time, select_overview};
use crate::store::pool::Store;
use crate::store::transaction::begin_read;

/// How long a connection may take. A server that takes longer is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads for the status address.
#[derive(Debug)]
pub(crate) struct Reader {
    store: Store,
    connection: Option<PgConnection>,
}

impl Reader {
    /// Opens nothing yet.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            connection: None,
        }
    }

    /// What the last runs have left. Of what is `known` only that is read again which may have
    /// changed.
    ///
    /// # Errors
    /// When Postgres is away, refuses or takes longer than it should.
    pub(crate) async fn load_overview(
        &mut self,
        now: DateTime<Utc>,
        known: Option<&Overview>,
    ) -> Result<Overview, StoreError> {
        // Taken out, so that a query that is given up, which may be waiting for a lock, closes its
        // connection.
        if let Some(mut connection) = self.connection.take()
            && let Ok(overview) = ask(&mut connection, now, known).await
        {
            self.connection = Some(connection);
            return Ok(overview);
        }
        // There was none, or it has broken since the last time.
        let connected = timeout(CONNECT_TIMEOUT, self.store.connect()).await;
        let mut connection = connected.unwrap_or_else(|_| Err(timed_out()))?;
        let overview = ask(&mut connection, now, known).await;
        let overview = overview.map_err(no_answer)?;
        self.connection = Some(connection);
        Ok(overview)
    }

    /// Closes the connection.
    pub(crate) async fn close(self) {
        if let Some(connection) = self.connection {
            // If the server does not learn of it, it notices the closed socket.
            let _closed = timeout(waits::CLOSE_POOL, connection.close()).await;
        }
    }
}

async fn ask(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    known: Option<&Overview>,
) -> Result<Overview, sqlx::Error> {
    let mut transaction = in_time(RUNS_TIMEOUT, begin_read(connection)).await?;
    let overview = select_overview(&mut transaction, now, known).await?;
    in_time(RUNS_TIMEOUT, transaction.rollback()).await?;
    Ok(overview)
}

fn timed_out() -> StoreError {
    StoreError::TimedOut {
        operation: OPERATION.into(),
    }
}

/// A server that is silent differs from one that is away or refuses.
fn no_answer(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Io(late) if late.kind() == ErrorKind::TimedOut => timed_out(),
        _ => StoreError::during(OPERATION)(error),
    }
}
