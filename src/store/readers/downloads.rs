//! Tables as files: rows go to the client as Postgres sends them, so that memory does not grow with
//! their number.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Column as _, Executor as _, PgConnection, SqlSafeStr as _, Statement as _,
    TypeInfo as _,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::store::detail::TableQuery;
use crate::store::error::StoreError;
use crate::store::pool::Store;
use crate::store::transaction::begin_download;

/// How long a download waits for the one before it.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(3);

/// How much is sent at once: a row by itself is small.
const CHUNK_BYTES: usize = 32 * 1024;

/// How many chunks wait for a slow client. Then Postgres waits, too.
const CHUNKS: usize = 4;

const OPERATION: &str = "reading a table for a file";

/// The places in a text at which a spreadsheet would begin a formula: where a cell begins, before
/// spaces and a sign that begins formulas, half or full width. A cell begins with the text. Excel
/// in many countries separates cells by semicolons, and sees the quotes only that begin one of its
/// own cells: there a cell also begins after a semicolon, a tab or a line break within the text.
const FORMULAS: &str =
    r"E'^(?=[\\t\\n\\r])|(?<![^;\\t\\n\\r])(?= *[-=+@\\uff1d\\uff0b\\uff0d\\uff20])'";

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// As in RFC 4180, with a header.
    Csv,
    /// One object, with the rows as objects.
    Json,
}

/// Downloads, one at a time, each over a connection that it opens and closes.
#[derive(Debug, Clone)]
pub(crate) struct Downloads {
    store: Store,
    one: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// A file that is under way.
#[derive(Debug)]
pub(crate) struct Download {
    /// Also held while its connection is open.
    _turn: Arc<OwnedSemaphorePermit>,
    first: Option<Bytes>,
    further: mpsc::Receiver<Result<Bytes, StoreError>>,
}

impl Download {
    /// The next part; none at the end.
    ///
    /// # Errors
    /// When the file cannot be finished.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        match self.first.take() {
            Some(first) => Some(Ok(first)),
            None => self.further.recv().await,
        }
    }
}

impl Downloads {
    /// Opens nothing yet.
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            one: Arc::new(Semaphore::new(1)),
            tasks: TaskTracker::new(),
        }
    }

    /// Begins a download. Returns once its first rows are there.
    ///
    /// # Errors
    /// When Postgres is away, refuses or takes too long, or another download does.
    pub(crate) async fn begin(
        &self,
        query: TableQuery,
        format: FileFormat,
        now: DateTime<Utc>,
    ) -> Result<Download, StoreError> {
        let late = || StoreError::TimedOut {
            operation: OPERATION.into(),
        };
        let turn = timeout(QUEUE_TIMEOUT, Arc::clone(&self.one).acquire_owned());
        let turn = turn.await.ok().and_then(Result::ok).ok_or_else(late)?;
        let turn = Arc::new(turn);
        let held = Arc::clone(&turn);
        let (chunks, mut further) = mpsc::channel(CHUNKS);
        let store = self.store.clone();
        self.tasks.spawn(async move {
            let _turn = held;
            let mut sender = Sender {
                chunks: chunks.clone(),
                buffer: BytesMut::with_capacity(CHUNK_BYTES),
            };
            if let Err(error) = send(&store, &query, format, now, &mut sender).await {
                // If the client has left, nobody needs to know.
                let _left = chunks.send(Err(error)).await;
            }
        });
        match further.recv().await {
            Some(first) => Ok(Download {
                _turn: turn,
                first: Some(first?),
                further,
            }),
            // The task has panicked, which is printed.
            None => Err(late()),
        }
    }
}

/// Collects rows to chunks.
struct Sender {
    chunks: mpsc::Sender<Result<Bytes, StoreError>>,
    buffer: BytesMut,
}

impl Sender {
    /// False if the client has left.
    async fn push(&mut self, bytes: &[u8]) -> bool {
        self.buffer.extend_from_slice(bytes);
        self.buffer.len() < CHUNK_BYTES || self.flush().await
    }

    async fn flush(&mut self) -> bool {
        let chunk = self.buffer.split().freeze();
        self.chunks.send(Ok(chunk)).await.is_ok()
    }
}

async fn send(
    store: &Store,
    query: &TableQuery,
    format: FileFormat,
    now: DateTime<Utc>,
    sender: &mut Sender,
) -> Result<(), StoreError> {
    let mut connection = store.connect().await?;
    let sending = async {
        // Its end is that of the connection.
        let mut transaction = begin_download(&mut connection).await?;
        match format {
            FileFormat::Csv => send_csv(&mut transaction, query, sender).await,
            FileFormat::Json => send_json(&mut transaction, query, now, sender).await,
        }
    };
    sending.await.map_err(StoreError::during(OPERATION))
}

/// `COPY` sends a message for each row, without the carriage return of RFC 4180.
async fn send_csv(
    connection: &mut PgConnection,
    query: &TableQuery,
    sender: &mut Sender,
) -> Result<(), sqlx::Error> {
    let columns = columns_for_spreadsheets(connection, query).await?;
    let copy = format!(
        "copy (select {columns} from ({}) as t) to stdout (format csv, header)",
        query.sql()
    );
    let mut rows = connection.copy_out_raw(&copy).await?;
    while let Some(row) = rows.try_next().await? {
        let row = row.strip_suffix(b"\n").unwrap_or(&row);
        if !(sender.push(row).await && sender.push(b"\r\n").await) {
            return Ok(());
        }
    }
    sender.flush().await;
    Ok(())
}

/// The columns, with an apostrophe before what a spreadsheet would take for a formula. Names of
/// customers come from the customers.
async fn columns_for_spreadsheets(
    connection: &mut PgConnection,
    query: &TableQuery,
) -> Result<String, sqlx::Error> {
    let text = AssertSqlSafe(query.sql().to_owned()).into_sql_str();
    let statement = connection.prepare(text).await?;
    let columns = statement.columns().iter().map(|column| {
        let name = column.name();
        if matches!(column.type_info().name(), "VARCHAR" | "TEXT") {
            format!("regexp_replace({name}, {FORMULAS}, '''', 'g') as {name}")
        } else {
            name.to_owned()
        }
    });
    Ok(columns.collect::<Vec<_>>().join(", "))
}

async fn send_json(
    connection: &mut PgConnection,
    query: &TableQuery,
    now: DateTime<Utc>,
    sender: &mut Sender,
) -> Result<(), sqlx::Error> {
    let as_of = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = format!("select row_to_json(t)::text from ({}) as t", query.sql());
    let mut rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(text))
        .persistent(false)
        .fetch(connection);
    let mut before = format!("{{\"version\":1,\"as_of\":\"{as_of}\",\"rows\":[\n");
    while let Some(row) = rows.try_next().await? {
        if !(sender.push(before.as_bytes()).await && sender.push(row.as_bytes()).await) {
            return Ok(());
        }
        ",\n".clone_into(&mut before);
    }
    if before == ",\n" {
        before.clear();
    }
    sender.push(before.as_bytes()).await;
    sender.push(b"\n]}\n").await;
    sender.flush().await;
    Ok(())
}
