//! Sends rows to a table by binary COPY, which costs Postgres three fifths of what the same rows
//! cost as arguments of a statement. The values are encoded by sqlx.

use std::collections::HashMap;

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{
    PgArgumentBuffer, PgBindIterExt as _, PgCopyIn, PgHasArrayType, PgTypeInfo, Postgres,
};
use sqlx::{PgConnection, Type};

/// The signature, no flags, and a header extension of no bytes.
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Ends the rows: sent where a row's number of columns would be.
const END: [u8; 2] = (-1_i16).to_be_bytes();

/// Sent in place of a value's length.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Bytes sent at once. Postgres stores these rows while the next ones are being encoded; with one
/// large message each side would wait for the other.
const CHUNK_BYTES: usize = 64 * 1024;

/// A COPY in progress. If it is dropped before [`CopyIn::finish`], nothing is stored and the
/// connection must not be used again.
pub(super) struct CopyIn<'c> {
    copy: PgCopyIn<&'c mut PgConnection>,
    columns: i16,
    row: CopyRow,
}

/// Takes a row's values, in the order of the statement's columns.
pub(super) struct CopyRow {
    buffer: PgArgumentBuffer,
}

impl<'c> CopyIn<'c> {
    /// `statement` must be `copy … from stdin (format binary)`.
    pub(super) async fn begin(
        connection: &'c mut PgConnection,
        statement: &str,
    ) -> Result<Self, sqlx::Error> {
        let copy = connection.copy_in_raw(statement).await?;
        let columns = i16::try_from(copy.num_columns()).unwrap_or(i16::MAX);
        let mut buffer = PgArgumentBuffer::default();
        buffer.reserve(CHUNK_BYTES * 2);
        buffer.extend_from_slice(HEADER);
        let row = CopyRow { buffer };
        Ok(Self { copy, columns, row })
    }

    /// Begins another row.
    pub(super) async fn row(&mut self) -> Result<&mut CopyRow, sqlx::Error> {
        let buffer = &mut self.row.buffer;
        if buffer.len() >= CHUNK_BYTES {
            self.copy.send(buffer.as_slice()).await?;
            buffer.clear();
        }
        buffer.extend(self.columns.to_be_bytes());
        Ok(&mut self.row)
    }

    /// Returns the number of rows stored.
    pub(super) async fn finish(mut self) -> Result<u64, sqlx::Error> {
        self.row.buffer.extend(END);
        self.copy.send(self.row.buffer.as_slice()).await?;
        self.copy.finish().await
    }
}

impl CopyRow {
    /// The type of `value` must be the column's: binary COPY converts nothing.
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

/// An array that repeats one value, encoded once for each length. A customer's first rows of a
/// month have three such arrays.
pub(super) struct RepeatedValue<T> {
    value: T,
    encoded: HashMap<usize, Vec<u8>>,
}

impl<T> RepeatedValue<T>
where
    T: Copy + for<'q> Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
{
    pub(super) fn new(value: T) -> Self {
        Self {
            value,
            encoded: HashMap::new(),
        }
    }

    /// Puts the array with that many elements.
    pub(super) fn put(&mut self, row: &mut CopyRow, length: usize) -> Result<(), sqlx::Error> {
        if let Some(encoded) = self.encoded.get(&length) {
            row.buffer.extend_from_slice(encoded);
            return Ok(());
        }
        let at = row.buffer.len();
        row.put(std::iter::repeat_n(self.value, length).bind_iter())?;
        self.encoded.insert(length, row.buffer[at..].to_vec());
        Ok(())
    }
}

/// An element of an array of `varchar`. Binary COPY does not accept an array of `text` for it,
/// which is what sqlx makes of strings.
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
