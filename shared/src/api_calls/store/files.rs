//! Files of calls in the transaction that stores them.

use std::collections::{BTreeMap, HashMap};

use futures::future::{BoxFuture, try_join_all};

use super::StoreError;
use super::manifest::add_files;
use super::plan::NewRecords;
use crate::api_calls::{ApiCall, CallFile, CallGroup, CallOrigin, CallRange, Hour, counted_at_ms};
use crate::store::pool::BoundedConnection;

/// Writes calls as files of an object store.
pub trait CallFiles: Send + Sync {
    /// Version of the schema that [`Self::encode`] writes.
    fn schema_version(&self) -> i32;

    /// The content of a file. The same calls give the same bytes.
    fn encode(&self, origin: &CallOrigin, calls: &[TimedCall<'_>]) -> Result<Vec<u8>, StoreError>;

    /// Writes an object under the path of a file, and replaces one that is there. Returns once it is
    /// durable, or an error within 9 s: Postgres ends a transaction that is idle for 10 s.
    fn put<'a>(&'a self, path: &'a str, content: Vec<u8>) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A call with its offset, and the time at which it counts.
#[derive(Debug, Clone, Copy)]
pub struct TimedCall<'a> {
    /// Offset in its partition.
    pub offset: i64,
    /// See [`counted_at_ms`], milliseconds since 1970.
    pub at_ms: i64,
    /// The call.
    pub call: &'a ApiCall,
}

/// Files that are not written yet.
#[derive(Debug, Default)]
pub(super) struct NewFiles(Vec<(CallFile, Vec<u8>)>);

impl NewFiles {
    /// A file for each source and hour of the new calls, in the order of their offsets.
    pub(super) fn of(
        new: &NewRecords<'_>,
        origins: &HashMap<i32, CallOrigin>,
        files: &dyn CallFiles,
    ) -> Result<Self, StoreError> {
        let mut groups: BTreeMap<(i32, Hour), Vec<TimedCall<'_>>> = BTreeMap::new();
        for (source, arrival, call) in &new.calls {
            let at_ms = counted_at_ms(call, arrival.appended_ms);
            let offset = arrival.offset;
            let group = groups.entry((*source, Hour::of_ms(at_ms))).or_default();
            group.push(TimedCall {
                offset,
                at_ms,
                call,
            });
        }
        let mut new_files = Vec::with_capacity(groups.len());
        for ((source, hour), mut calls) in groups {
            calls.sort_by_key(|call| call.offset);
            let ranges = calls
                .iter()
                .map(|call| CallRange::of(call.offset, call.at_ms));
            let (Some(origin), Some(range)) =
                (origins.get(&source), ranges.reduce(CallRange::join))
            else {
                continue;
            };
            let content = files.encode(origin, &calls)?;
            let origin = origin.clone();
            let group = CallGroup {
                source,
                origin,
                hour,
                range,
            };
            let file = CallFile::new(group, &content, files.schema_version(), 0);
            new_files.push((file, content));
        }
        Ok(Self(new_files))
    }

    /// Number of files.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Statement 7: the rows of the files, which locks their paths.
    pub(super) async fn add(&self, connection: &mut BoundedConnection) -> Result<(), StoreError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let rows: Vec<&CallFile> = self.0.iter().map(|(file, _)| file).collect();
        add_files(connection, &rows, None).await
    }

    /// Writes the objects, all at the same time. The transaction has nothing left to do but to
    /// commit.
    pub(super) async fn put(self, files: &dyn CallFiles) -> Result<(), StoreError> {
        let put = |(file, content): (CallFile, Vec<u8>)| async move {
            files.put(&file.path, content).await
        };
        try_join_all(self.0.into_iter().map(put)).await.map(drop)
    }
}
