//! Parquet: typed columns in row groups. A file's metadata has the comments of its columns.

use std::sync::Arc;

use anyhow::Context as _;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::data_type::{
    BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::Sink;
use crate::store::{ExportColumn, Exportable, Store, Values};

pub(super) async fn export(store: &Store, of: &Exportable, sink: &mut Sink) -> anyhow::Result<()> {
    // Made with the first rows, which bring the columns along.
    let mut file: Option<SerializedFileWriter<Vec<u8>>> = None;
    let mut fault = None;
    let take = async |columns: &mut [ExportColumn]| match encode(&of.name, &mut file, columns) {
        Ok((rows, bytes)) => {
            sink.rows += rows;
            sink.write(&bytes).await
        }
        Err(error) => {
            fault = Some(error);
            false
        }
    };
    store.export_columns(of, take).await?;
    let encoded = match (fault, file) {
        (Some(fault), _) => Err(fault),
        // Nobody wants more.
        (None, None) => return Ok(()),
        (None, Some(file)) => file.into_inner(),
    };
    let end = encoded.context("the rows cannot be written as Parquet")?;
    sink.write(&end).await;
    sink.end().await;
    Ok(())
}

/// Turns the columns' values into a row group, and takes them. Returns how many rows there were,
/// and what is ready to be written.
fn encode(
    name: &str,
    file: &mut Option<SerializedFileWriter<Vec<u8>>>,
    columns: &mut [ExportColumn],
) -> Result<(u64, Vec<u8>), ParquetError> {
    let file = match file {
        Some(file) => file,
        None => file.insert(begin(name, columns)?),
    };
    let rows = columns.first().map_or(0, |column| column.is_set.len());
    if rows > 0 {
        let mut group = file.next_row_group()?;
        for column in columns {
            write(&mut group, column)?;
        }
        group.close()?;
    }
    Ok((rows as u64, std::mem::take(file.inner_mut())))
}

fn begin(
    name: &str,
    columns: &[ExportColumn],
) -> Result<SerializedFileWriter<Vec<u8>>, ParquetError> {
    let fields: Result<Vec<_>, _> = columns.iter().map(field).collect();
    let schema = Type::group_type_builder(name)
        .with_fields(fields?)
        .build()?;
    let comments = columns
        .iter()
        .map(|column| KeyValue::new(format!("comment.{}", column.name), column.comment.clone()));
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(comments.collect()))
        .build();
    SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))
}

fn field(column: &ExportColumn) -> Result<Arc<Type>, ParquetError> {
    let (stored, meant) = match column.values {
        Values::Boolean(_) => (PhysicalType::BOOLEAN, None),
        Values::Integer(_) => (PhysicalType::INT32, None),
        Values::Bigint(_) => (PhysicalType::INT64, None),
        Values::Double(_) => (PhysicalType::DOUBLE, None),
        Values::Date(_) => (PhysicalType::INT32, Some(LogicalType::Date)),
        Values::Moment(_) => {
            let utc = LogicalType::timestamp(true, TimeUnit::MICROS);
            (PhysicalType::INT64, Some(utc))
        }
        Values::Text(_) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
    };
    let field = Type::primitive_type_builder(&column.name, stored)
        .with_logical_type(meant)
        .with_repetition(Repetition::OPTIONAL)
        .build()?;
    Ok(Arc::new(field))
}

fn write(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    column: &mut ExportColumn,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = column.is_set.drain(..).map(i16::from).collect();
    match &mut column.values {
        Values::Boolean(values) => chunk::<BoolType>(group, values, &levels),
        Values::Integer(values) | Values::Date(values) => {
            chunk::<Int32Type>(group, values, &levels)
        }
        Values::Bigint(values) | Values::Moment(values) => {
            chunk::<Int64Type>(group, values, &levels)
        }
        Values::Double(values) => chunk::<DoubleType>(group, values, &levels),
        Values::Text(values) => {
            let values = values
                .drain(..)
                .map(|text| ByteArray::from(text.into_bytes()));
            chunk::<ByteArrayType>(group, &mut values.collect(), &levels)
        }
    }
}

/// Writes the values of the next column, and empties them.
fn chunk<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &mut Vec<T::T>,
    levels: &[i16],
) -> Result<(), ParquetError> {
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("a column too many".to_owned()))?;
    column
        .typed::<T>()
        .write_batch(values, Some(levels), None)?;
    values.clear();
    column.close()
}
