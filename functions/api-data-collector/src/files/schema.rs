//! The schema of a file, and how its columns are written. Pure.
//!
//! Evolution: a new version appends optional columns. No column is renamed, retyped or removed, so
//! that readers take files of several versions together, by the names of the columns.

use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Version of the schema. It is raised with each column that is added.
pub const SCHEMA_VERSION: i32 = 1;
/// The schema, as a Parquet message type.
pub const SCHEMA: &str = include_str!("schema.txt");
/// The key of the version in the metadata of a file.
const VERSION_KEY: &str = "usher.api-calls.schema";
/// Columns of random values, for which a dictionary would only be larger.
const RANDOM: [&str; 2] = ["id", "trace"];

/// A file in memory.
pub(super) type FileWriter = SerializedFileWriter<Vec<u8>>;

/// Begins a file.
pub(super) fn new_file() -> Result<FileWriter, ParquetError> {
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let version = KeyValue::new(VERSION_KEY.to_owned(), SCHEMA_VERSION.to_string());
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![version]));
    for column in RANDOM {
        properties = properties.set_column_dictionary_enabled(column.into(), false);
    }
    SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))
}
