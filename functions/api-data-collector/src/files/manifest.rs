//! The manifest as an object, for readers without access to Postgres. Pure.

use serde::Serialize;
use shared::api_calls::{CallFile, Manifest};

/// Version of the form.
const FORMAT: u32 = 1;

/// What is written as [`super::MANIFEST`]. Times in milliseconds since 1970.
#[derive(Serialize)]
struct Document<'a> {
    format: u32,
    version: i64,
    as_of_ms: i64,
    files: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    path: &'a str,
    topic: &'a str,
    partition: i32,
    incarnation: i32,
    first_offset: i64,
    last_offset: i64,
    calls: u64,
    bytes: u64,
    min_at_ms: i64,
    max_at_ms: i64,
    sha256: String,
    schema_version: i32,
}

/// The manifest as JSON.
pub(super) fn json(manifest: &Manifest) -> Result<Vec<u8>, serde_json::Error> {
    let files = manifest.files.iter().map(entry).collect();
    serde_json::to_vec(&Document {
        format: FORMAT,
        version: manifest.version,
        as_of_ms: manifest.as_of_ms,
        files,
    })
}

fn entry(file: &CallFile) -> Entry<'_> {
    let (origin, range) = (&file.group.origin, &file.group.range);
    Entry {
        path: &file.path,
        topic: &origin.topic,
        partition: origin.partition,
        incarnation: origin.incarnation,
        first_offset: range.first_offset,
        last_offset: range.last_offset,
        calls: range.calls,
        bytes: file.bytes,
        min_at_ms: range.min_at_ms,
        max_at_ms: range.max_at_ms,
        sha256: hex::encode(file.sha256),
        schema_version: file.schema_version,
    }
}
