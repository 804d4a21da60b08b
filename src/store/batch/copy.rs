//! Rows on their way into a table by COPY in its binary form: three fifths of what the same rows
//! cost Postgres as the arguments of a statement. The values are encoded by sqlx.

use std::collections::HashMap;

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgBindIterExt as _, PgCopyIn, PgHasArrayType, PgTypeInfo, Postgres,
};
use sqlx::{PgConnection, Type};

/// Signature, no flags, no further header.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// In place of a row's number of columns.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// In place of a value's length.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// So much is sent at once, so that Postgres stores the first rows while the next ones are still
/// being encoded.
const CHUNK_BYTES: usize = 64 * 1024;

/// A COPY that is under way. Dropped before its end it leaves nothing behind, and a connection that
/// is not to be used again.
pub(super) struct CopyIn<'c> {
    copy: PgCopyIn<&'c mut PgConnection>,
    columns: i16,
    row: Row,
}

/// Takes a row's values, in the order of the statement's columns.
pub(super) struct Row {
    buffer: PgArgumentBuffer,
}

impl<'c> CopyIn<'c> {
    /// `statement` is to be `copy … from stdin (format binary)`.
    pub(super) async fn begin(
        connection: &'c mut PgConnection,
        statement: &str,
    ) -> Result<Self, sqlx::Error> {
        let copy = connection.copy_in_raw(statement).await?;
        let columns = i16::try_from(copy.num_columns()).unwrap_or(i16::MAX);
        let mut buffer = PgArgumentBuffer::default();
        buffer.reserve(CHUNK_BYTES * 2);
        buffer.extend_from_slice(HEADER);
        let row = Row { buffer };
        Ok(Self { copy, columns, row })
    }

    /// Begins another row.
    pub(super) async fn row(&mut self) -> Result<&mut Row, sqlx::Error> {
        let buffer = &mut self.row.buffer;
        if buffer.len() >= CHUNK_BYTES {
            self.copy.send(buffer.as_slice()).await?;
            buffer.clear();
        }
        buffer.extend(self.columns.to_be_bytes());
        Ok(&mut self.row)
    }

    /// Returns how many rows were stored.
    pub(super) async fn finish(mut self) -> Result<u64, sqlx::Error> {
        self.row.buffer.extend(END);
        self.copy.send(self.row.buffer.as_slice()).await?;
        self.copy.finish().await
    }
}

impl Row {
    /// The type of `value` has to be the column's: nothing is converted on the way.
    pub(super) fn put<'q, T: Encode<'q, Postgres> + Type<Postgres>>(
        &mut self,
        value: T,
    ) -> Result<(), sqlx::Error> {
        let at = self.buffer.len();
        self.buffer.extend(NULL);
        let is_null = value
            .encode(&mut self.buffer)
            .map_err(sqlx::Error::Encode)?;
        if matches!(is_null, IsNull::No) {
            let length = i32::try_from(self.buffer.len() - at - NULL.len())
                .map_err(|error| sqlx::Error::Encode(error.into()))?;
            self.buffer[at..at + NULL.len()].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }
}

/// An array of one value over and over, encoded once.
#[derive(Debug)]
pub(super) struct Repeated<T> {
    value: T,
    /// By their length.
    arrays: HashMap<usize, Vec<u8>>,
}

impl<T> Repeated<T>
where
    T: Copy + for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
{
    pub(super) fn new(value: T) -> Self {
        let arrays = HashMap::new();
        Self { value, arrays }
    }

    /// Puts the array of that length.
    pub(super) fn put(&mut self, row: &mut Row, length: usize) -> Result<(), sqlx::Error> {
        if let Some(array) = self.arrays.get(&length) {
            row.buffer.extend_from_slice(array);
            return Ok(());
        }
        let at = row.buffer.len();
        row.put(std::iter::repeat_n(self.value, length).bind_iter())?;
        self.arrays.insert(length, row.buffer[at..].to_vec());
        Ok(())
    }
}

/// An element of an array of `varchar`, which COPY tells from `text`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Varchar<'a>(pub(super) Option<&'a str>);

impl Varchar<'_> {
    const TYPE: Oid = Oid(1043);
    const ARRAY_TYPE: Oid = Oid(1015);
}

impl Type<Postgres> for Varchar<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Self::TYPE)
    }
}

impl PgHasArrayType for Varchar<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Self::ARRAY_TYPE)
    }
}

impl Encode<'_, Postgres> for Varchar<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.encode_by_ref(buffer)
    }
}
