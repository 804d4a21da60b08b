//! The one connection that pages are read through. It is separate from the pool and from that of
//! the probes, so that a slow page takes no connection that a run needs, and delays no probe.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::store::error::StoreError;
use crate::store::pool::Store;
use crate::store::transaction::begin_page;

/// How long a page waits while others are read.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a page may be read, with the opening of a connection. Longer than the server's own
/// bound for a statement, so that it is the server that gives up, and the connection can be kept.
const READ_TIMEOUT: Duration = Duration::from_secs(6);

/// What is read for a page over its connection.
pub type PageWork<'c, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'c>>;

/// Reads for pages, one at a time. Each reads in a transaction of its own that sees one state of
/// the ledger and writes nothing.
#[derive(Debug, Clone)]
pub struct PageReader {
    store: Store,
    connection: Arc<Mutex<Option<PgConnection>>>,
    /// Runs on when the browser has left: a page that is given up would otherwise leave its query
    /// to the server, and the next one would open a further connection beside it.
    tasks: TaskTracker,
}

impl PageReader {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            connection: Arc::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Does `work` in a transaction that only reads.
    ///
    /// # Errors
    /// When Postgres is away, refuses or takes more than some seconds, also with the pages before.
    pub async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl for<'c> FnOnce(&'c mut PgConnection) -> PageWork<'c, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let late = || StoreError::TimedOut {
            operation: operation.into(),
        };
        let held = timeout(QUEUE_TIMEOUT, Arc::clone(&self.connection).lock_owned());
        let held = held.await.map_err(|_| late())?;
        let store = self.store.clone();
        let reading = self.tasks.spawn(async move {
            let reading = read(store, held, operation, work);
            timeout(READ_TIMEOUT, reading).await
        });
        match reading.await {
            Ok(Ok(read)) => read,
            // Too late, or the work has panicked, which is printed.
            Ok(Err(_)) | Err(_) => Err(late()),
        }
    }
}

async fn read<T>(
    store: Store,
    mut held: OwnedMutexGuard<Option<PgConnection>>,
    operation: &'static str,
    work: impl for<'c> FnOnce(&'c mut PgConnection) -> PageWork<'c, T>,
) -> Result<T, StoreError> {
    // Taken out, so that whatever fails or is given up closes its connection.
    let kept = match held.take() {
        Some(connection) => still_works(connection).await,
        None => None,
    };
    let mut connection = match kept {
        Some(connection) => connection,
        None => store.connect().await?,
    };
    let found = async {
        let mut transaction = begin_page(&mut connection).await?;
        let found = work(&mut transaction).await?;
        transaction.rollback().await?;
        Ok(found)
    };
    let found = found.await.map_err(StoreError::during(operation))?;
    *held = Some(connection);
    Ok(found)
}

/// None if the connection has broken since it was last used.
async fn still_works(mut connection: PgConnection) -> Option<PgConnection> {
    let asked = sqlx::raw_sql("select 1").execute(&mut connection).await;
    asked.is_ok().then_some(connection)
}
