//! Files of one schema become one, column by column, so that memory holds the files and a few
//! thousand values. Pure.

use bytes::Bytes;
use parquet::basic::Type;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::SerializedColumnWriter;

use super::encode::next;
use super::schema::new_file;

/// Values that are copied at a time.
const VALUES: usize = 4_096;
/// Row groups are joined up to so many rows: readers work on row groups in parallel.
const GROUP_ROWS: i64 = 122_880;

/// One file with the rows of all, in their order.
///
/// Columns are found by name. One that a file does not have, since its schema is older, is null in
/// its rows.
pub(super) fn merge(files: Vec<Bytes>) -> Result<Vec<u8>, ParquetError> {
    let files: Vec<_> = files
        .into_iter()
        .map(SerializedFileReader::new)
        .collect::<Result<_, _>>()?;
    let mut groups: Vec<Box<dyn RowGroupReader + '_>> = Vec::new();
    for file in &files {
        for group in 0..file.num_row_groups() {
            groups.push(file.get_row_group(group)?);
        }
    }
    let mut merged = new_file()?;
    let columns = merged.schema_descr().columns().to_vec();
    for joined in joined(&groups) {
        let mut rows = merged.next_row_group()?;
        for column in &columns {
            let mut to = next(&mut rows)?;
            for group in joined {
                let fields = group.metadata().schema_descr();
                let from = (0..fields.num_columns())
                    .find(|field| fields.column(*field).path() == column.path());
                let optional = column.max_def_level() > 0;
                let copied = match from {
                    Some(field) => copy_column(group.get_column_reader(field)?, &mut to, optional),
                    None => {
                        write_nulls(column.physical_type(), &mut to, group.metadata().num_rows())
                    }
                };
                copied?;
            }
            to.close()?;
        }
        rows.close()?;
    }
    merged.into_inner()
}

/// Row groups that become one each.
fn joined<'g, 'f>(
    groups: &'g [Box<dyn RowGroupReader + 'f>],
) -> impl Iterator<Item = &'g [Box<dyn RowGroupReader + 'f>]> {
    let mut rows = 0;
    groups.chunk_by(move |one, next| {
        rows += one.metadata().num_rows();
        let fits = rows + next.metadata().num_rows() <= GROUP_ROWS;
        if !fits {
            rows = 0;
        }
        fits
    })
}

fn copy_column(
    from: ColumnReader,
    to: &mut SerializedColumnWriter<'_>,
    optional: bool,
) -> Result<(), ParquetError> {
    match from {
        ColumnReader::Int32ColumnReader(from) => copy::<Int32Type>(from, to, optional),
        ColumnReader::Int64ColumnReader(from) => copy::<Int64Type>(from, to, optional),
        ColumnReader::ByteArrayColumnReader(from) => copy::<ByteArrayType>(from, to, optional),
        _ => Err(unexpected()),
    }
}

fn copy<T: DataType>(
    mut from: ColumnReaderImpl<T>,
    to: &mut SerializedColumnWriter<'_>,
    optional: bool,
) -> Result<(), ParquetError> {
    let mut values = Vec::new();
    let mut levels = Vec::new();
    loop {
        values.clear();
        levels.clear();
        let into = optional.then_some(&mut levels);
        let (rows, _, _) = from.read_records(VALUES, into, None, &mut values)?;
        if rows == 0 {
            return Ok(());
        }
        let levels = optional.then_some(&levels[..]);
        to.typed::<T>().write_batch(&values, levels, None)?;
    }
}

fn write_nulls(
    kind: Type,
    to: &mut SerializedColumnWriter<'_>,
    rows: i64,
) -> Result<(), ParquetError> {
    let levels = Some(vec![0; rows as usize]);
    let levels = levels.as_deref();
    let written = match kind {
        Type::INT32 => to.typed::<Int32Type>().write_batch(&[], levels, None),
        Type::INT64 => to.typed::<Int64Type>().write_batch(&[], levels, None),
        Type::BYTE_ARRAY => to.typed::<ByteArrayType>().write_batch(&[], levels, None),
        _ => Err(unexpected()),
    };
    written.map(drop)
}

fn unexpected() -> ParquetError {
    ParquetError::General("a column has a type that the schema does not use".to_owned())
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
