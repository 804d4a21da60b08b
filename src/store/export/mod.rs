//! Reads a relation of the BI layer whole, for a file. One statement reads it, so that all of its
//! rows are of one moment, and hands them on as they come, so that memory does not grow with them.

#[cfg(feature = "parquet")]
mod columns;

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};
use sqlx::Connection as _;

use super::error::StoreError;
use super::migrate::migrations::Migrations;
use super::pool::Store;
use super::transaction::begin_export;
use crate::shutdown::waits;
#[cfg(feature = "parquet")]
pub(crate) use columns::{ExportColumn, Values};

const OPERATION: &str = "exporting";

/// How long the next row may take. The server gives the statement up after ten minutes; a server
/// that is cut off tells nothing.
const NEXT_ROW: Duration = Duration::from_mins(11);

/// A relation that a role for BI tools may read.
#[derive(Debug)]
pub(crate) struct Exportable {
    pub(crate) name: String,
    /// As it is written in SQL.
    sql_name: String,
}

impl Store {
    /// The relations that a role for BI tools may read, by name. There are none before the first
    /// migration.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_exportable(&self) -> Result<Vec<Exportable>, StoreError> {
        let migrations = Migrations::embedded();
        let query = sqlx::query_as::<_, (String, String)>(include_str!("exportable.sql"))
            .bind(migrations.created("view"))
            .bind(migrations.created("table"));
        let found = self.read("reading which views there are", async |connection| {
            query.fetch_all(connection).await
        });
        let found = Box::pin(found).await?.into_iter();
        Ok(found
            .map(|(name, sql_name)| Exportable { name, sql_name })
            .collect())
    }

    /// Reads a relation as CSV with a header, as Postgres writes it. `take` gets the header, then
    /// each row, and says whether to go on.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn export_csv(
        &self,
        of: &Exportable,
        mut take: impl AsyncFnMut(Bytes) -> bool,
    ) -> Result<(), StoreError> {
        let during = StoreError::during(OPERATION);
        let mut connection = self.connect().await?;
        let mut transaction = begin_export(&mut connection).await.map_err(&during)?;
        let name = &of.sql_name;
        let copy = format!("copy (select * from {name}) to stdout (format csv, header)");
        let mut rows = transaction.copy_out_raw(&copy).await.map_err(&during)?;
        let mut is_wanted = true;
        while is_wanted && let Some(row) = next(&mut rows).await? {
            is_wanted = take(row).await;
        }
        // A statement that is not read to its end ends with its connection.
        drop(rows);
        drop(transaction);
        if is_wanted {
            let _closed = tokio::time::timeout(waits::CLOSE_POOL, connection.close()).await;
        }
        Ok(())
    }
}

async fn next<T>(
    rows: &mut (impl Stream<Item = Result<T, sqlx::Error>> + Unpin),
) -> Result<Option<T>, StoreError> {
    let next = tokio::time::timeout(NEXT_ROW, rows.try_next()).await;
    let late = || StoreError::TimedOut {
        operation: OPERATION.into(),
    };
    next.map_err(|_| late())?
        .map_err(StoreError::during(OPERATION))
}
