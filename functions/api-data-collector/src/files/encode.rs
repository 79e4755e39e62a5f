//! Calls become the content of a file. Pure.

use bytes::Bytes;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedRowGroupWriter;
use shared::api_calls::{CallOrigin, TimedCall};

use super::schema::new_file;

type RowGroup<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

/// A file of one row group with these calls. The columns are in the order of the schema.
pub(super) fn encode(
    origin: &CallOrigin,
    calls: &[TimedCall<'_>],
) -> Result<Vec<u8>, ParquetError> {
    let mut file = new_file()?;
    let mut rows = file.next_row_group()?;
    let topic = ByteArray::from(origin.topic.as_str());
    write::<ByteArrayType>(&mut rows, calls, |_| topic.clone())?;
    write::<Int32Type>(&mut rows, calls, |_| origin.partition)?;
    write::<Int32Type>(&mut rows, calls, |_| origin.incarnation)?;
    write::<Int64Type>(&mut rows, calls, |timed| timed.offset)?;
    write::<Int64Type>(&mut rows, calls, |timed| micros(timed.at_ms))?;
    write::<Int64Type>(&mut rows, calls, |timed| micros(timed.call.at_ms))?;
    write::<ByteArrayType>(&mut rows, calls, |timed| text(&timed.call.id))?;
    write::<ByteArrayType>(&mut rows, calls, |timed| text(&timed.call.route_key()))?;
    write::<ByteArrayType>(&mut rows, calls, |timed| text(&timed.call.url))?;
    write::<Int32Type>(&mut rows, calls, |timed| i32::from(timed.call.status))?;
    write::<Int64Type>(&mut rows, calls, |timed| timed.call.duration_us as i64)?;
    write::<ByteArrayType>(&mut rows, calls, |timed| text(&timed.call.client))?;
    write_optional(&mut rows, calls, |timed| timed.call.user.as_ref().map(text))?;
    write_optional(&mut rows, calls, |timed| timed.call.ip.as_ref().map(text))?;
    write_optional(&mut rows, calls, |timed| {
        timed.call.trace.as_ref().map(text)
    })?;
    write::<ByteArrayType>(&mut rows, calls, |timed| text(&timed.call.instance))?;
    rows.close()?;
    file.into_inner()
}

/// Milliseconds as microseconds. A call's time is before the year 10000.
const fn micros(ms: i64) -> i64 {
    ms.saturating_mul(1_000)
}

fn text(value: &impl ToString) -> ByteArray {
    Bytes::from(value.to_string()).into()
}

fn write<T: DataType>(
    rows: &mut RowGroup<'_>,
    calls: &[TimedCall<'_>],
    value: impl Fn(&TimedCall<'_>) -> T::T,
) -> Result<(), ParquetError> {
    let values: Vec<T::T> = calls.iter().map(value).collect();
    let mut column = next(rows)?;
    column.typed::<T>().write_batch(&values, None, None)?;
    column.close()
}

fn write_optional(
    rows: &mut RowGroup<'_>,
    calls: &[TimedCall<'_>],
    value: impl Fn(&TimedCall<'_>) -> Option<ByteArray>,
) -> Result<(), ParquetError> {
    let values: Vec<_> = calls.iter().map(value).collect();
    let levels: Vec<i16> = values.iter().map(|v| i16::from(v.is_some())).collect();
    let values: Vec<ByteArray> = values.into_iter().flatten().collect();
    let mut column = next(rows)?;
    column
        .typed::<ByteArrayType>()
        .write_batch(&values, Some(&levels), None)?;
    column.close()
}

/// The writer of the next column.
pub(super) fn next<'a>(
    rows: &'a mut RowGroup<'_>,
) -> Result<parquet::file::writer::SerializedColumnWriter<'a>, ParquetError> {
    rows.next_column()?
        .ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))
}
