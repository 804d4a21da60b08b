//! The connection on which the status address asks: one, and apart from those of a run, which must
//! not wait for a question from outside. It is opened with the first question and kept.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::sync::Mutex;

use super::read::select_last_runs;
use super::{RunRecord, Store, StoreError};

/// Asks the database for those who ask the daemon.
#[derive(Debug)]
pub(crate) struct Reader {
    store: Store,
    kept: Mutex<Option<PgConnection>>,
}

impl Reader {
    /// Opens nothing yet.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            kept: Mutex::default(),
        }
    }

    /// The newest runs, newest first, if they are there within `patience`.
    ///
    /// # Errors
    /// When Postgres is away, refuses or takes longer.
    pub(crate) async fn load_last_runs(
        &self,
        limit: i64,
        patience: Duration,
    ) -> Result<Vec<RunRecord>, StoreError> {
        const OPERATION: &str = "reading the last runs";
        let asked = tokio::time::timeout(patience, async {
            let mut kept = self.kept.lock().await;
            // Taken out: a question that is given up may be waiting for a lock, and its connection
            // is closed with it.
            if let Some(mut connection) = kept.take()
                && let Ok(runs) = ask(&mut connection, limit, patience).await
            {
                *kept = Some(connection);
                return Ok(runs);
            }
            // There was none, or it has died since the last question.
            let mut connection = self.store.connect().await?;
            let runs = ask(&mut connection, limit, patience)
                .await
                .map_err(StoreError::during(OPERATION))?;
            *kept = Some(connection);
            Ok(runs)
        });
        asked.await.unwrap_or(Err(StoreError::TimedOut {
            operation: OPERATION.into(),
        }))
    }

    /// Closes the connection; the next question opens another.
    pub(crate) async fn rest(&self) {
        if let Ok(mut kept) = self.kept.try_lock()
            && let Some(connection) = kept.take()
        {
            // Nothing is lost by a goodbye that does not arrive.
            let _closed = tokio::time::timeout(super::GOODBYE, connection.close()).await;
        }
    }
}

async fn ask(
    connection: &mut PgConnection,
    limit: i64,
    patience: Duration,
) -> Result<Vec<RunRecord>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // The server gives up too, and keeps no process for a question whose asker is gone. Only for
    // this transaction: behind a pool of connections the next may be somebody else's.
    let bound = (patience + Duration::from_secs(1)).as_millis();
    let bound = format!("set local statement_timeout = {bound}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(bound))
        .execute(&mut *transaction)
        .await?;
    let runs = select_last_runs(&mut transaction, limit).await?;
    transaction.commit().await?;
    Ok(runs)
}
