//! The rows of a relation by column, for formats that store columns.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::{Exportable, OPERATION, next};
use crate::shutdown::waits;
use crate::store::error::StoreError;
use crate::store::pool::{Store, bounded};
use crate::store::transaction::begin_export;

/// How many rows are handed on at once at most.
const MAX_ROWS: usize = 65_536;

/// How many bytes of text are handed on at once, but for the last row of them.
const MAX_TEXT: usize = 8 << 20;

/// A column, with the values of some rows.
#[derive(Debug)]
pub(crate) struct ExportColumn {
    pub(crate) name: String,
    pub(crate) comment: String,
    /// Of the rows that are not null.
    pub(crate) values: Values,
    /// For each row whether it is not null.
    pub(crate) is_set: Vec<bool>,
}

/// Values of one type.
#[derive(Debug)]
pub(crate) enum Values {
    Boolean(Vec<bool>),
    Integer(Vec<i32>),
    Bigint(Vec<i64>),
    Double(Vec<f64>),
    /// Days since 1970.
    Date(Vec<i32>),
    /// Microseconds since 1970 in UTC.
    Moment(Vec<i64>),
    /// Everything else, as Postgres writes it.
    Text(Vec<String>),
}

impl Store {
    /// Reads a relation by column. `take` gets some rows at a time, at the end perhaps none,
    /// empties the columns, and says whether to go on.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn export_columns(
        &self,
        of: &Exportable,
        mut take: impl AsyncFnMut(&mut [ExportColumn]) -> bool,
    ) -> Result<(), StoreError> {
        let during = StoreError::during(OPERATION);
        let mut connection = self.connect().await?;
        let mut transaction = begin_export(&mut connection).await.map_err(&during)?;
        let described =
            sqlx::query_as::<_, (String, String, String, String)>(include_str!("columns.sql"))
                .bind(&of.sql_name)
                .fetch_all(&mut *transaction);
        let described = bounded(OPERATION, described).await?;
        let selected: Vec<String> = described.iter().map(|it| it.1.clone()).collect();
        let mut columns: Vec<ExportColumn> = described.into_iter().map(column).collect();
        let select = format!("select {} from {}", selected.join(", "), of.sql_name);
        let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *transaction);
        let (mut count, mut text, mut is_wanted) = (0, 0, true);
        while is_wanted && let Some(row) = next(&mut rows).await? {
            for (at, column) in columns.iter_mut().enumerate() {
                text += column.push(&row, at).map_err(&during)?;
            }
            count += 1;
            if count >= MAX_ROWS || text >= MAX_TEXT {
                is_wanted = take(&mut columns).await;
                (count, text) = (0, 0);
            }
        }
        // A statement that is not read to its end ends with its connection.
        drop(rows);
        drop(transaction);
        if is_wanted {
            take(&mut columns).await;
            let _closed = tokio::time::timeout(waits::CLOSE_POOL, connection.close()).await;
        }
        Ok(())
    }
}

fn column((name, _, kind, comment): (String, String, String, String)) -> ExportColumn {
    let values = match kind.as_str() {
        "boolean" => Values::Boolean(Vec::new()),
        "smallint" | "integer" => Values::Integer(Vec::new()),
        "bigint" => Values::Bigint(Vec::new()),
        "real" | "double precision" => Values::Double(Vec::new()),
        "date" => Values::Date(Vec::new()),
        "timestamp with time zone" => Values::Moment(Vec::new()),
        _ => Values::Text(Vec::new()),
    };
    ExportColumn {
        name,
        comment,
        values,
        is_set: Vec::new(),
    }
}

impl ExportColumn {
    /// Takes the value of a row. Returns how many bytes of text it has.
    fn push(&mut self, row: &PgRow, at: usize) -> Result<usize, sqlx::Error> {
        fn add<T>(values: &mut Vec<T>, value: Option<T>) -> bool {
            let is_set = value.is_some();
            values.extend(value);
            is_set
        }
        let mut text = 0;
        let is_set = match &mut self.values {
            Values::Boolean(values) => add(values, row.try_get(at)?),
            Values::Integer(values) => add(values, row.try_get(at)?),
            Values::Bigint(values) => add(values, row.try_get(at)?),
            Values::Double(values) => add(values, row.try_get(at)?),
            Values::Date(values) => {
                let date: Option<NaiveDate> = row.try_get(at)?;
                add(values, date.map(|date| date.to_epoch_days()))
            }
            Values::Moment(values) => {
                let moment: Option<DateTime<Utc>> = row.try_get(at)?;
                add(values, moment.map(|moment| moment.timestamp_micros()))
            }
            Values::Text(values) => {
                let value: Option<String> = row.try_get(at)?;
                text = value.as_ref().map_or(0, String::len);
                add(values, value)
            }
        };
        self.is_set.push(is_set);
        Ok(text)
    }
}
