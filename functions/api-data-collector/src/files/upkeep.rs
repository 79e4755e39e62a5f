//! What keeps the files few and young: expiry, deletion, merging, and the manifest as an object.
//!
//! Each step is complete in itself and may be repeated; a crash between two of them, or within one,
//! leaves what the next run completes. Several processes may run at the same time.

use bytes::Bytes;
use futures::future::try_join_all;
use lambda_batch::ErrorClass;
use sha2::{Digest, Sha256};
use shared::api_calls::{CallFile, CallFiles, Hour, MergeGroup};
use shared::store::{Store, StoreError};

use super::manifest;
use super::merge::merge;
use super::schema::SCHEMA_VERSION;
use super::settings::FileSettings;
use super::store::{FileStore, unwritable};

/// The object that lists the files, below the folder of the environment.
pub const MANIFEST: &str = "manifest.json";
/// Maximum objects that are deleted at a time.
const MAX_DELETED: u32 = 500;
/// Objects that are read at the same time.
const READS: usize = 8;

/// What a run did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Files that were merged.
    pub merged: u64,
    /// Objects that were deleted.
    pub deleted: u64,
    /// Objects of no transaction that were found.
    pub found: u64,
    /// Whether a further run has work at once.
    pub more: bool,
    /// Whether a step failed.
    pub failed: bool,
}

/// One run: at most one hour expires, and one group of files is merged.
///
/// # Errors
/// A step failed; those before it are done, and the next run does the rest.
pub async fn run(
    store: &Store,
    files: &FileStore,
    settings: &FileSettings,
) -> Result<Upkeep, StoreError> {
    let mut upkeep = Upkeep::default();
    if let Some(hour) = store.expire_files(settings.keep).await? {
        upkeep.found += find(store, files, hour).await?;
        upkeep.more = true;
    }
    upkeep.deleted = delete(store, files, settings).await?;
    upkeep.more |= upkeep.deleted >= u64::from(MAX_DELETED);
    if let Some(group) = store.merge_group(&settings.merge, SCHEMA_VERSION).await? {
        if merge_files(store, files, &group).await? {
            upkeep.merged = group.files.len() as u64;
        }
        if let Some(file) = group.files.first().filter(|_| group.quiet) {
            upkeep.found += find(store, files, file.group.hour).await?;
        }
        upkeep.more = true;
    }
    write_manifest(store, files).await?;
    Ok(upkeep)
}

/// Records objects in the folder of an hour that no transaction has committed.
async fn find(store: &Store, files: &FileStore, hour: Hour) -> Result<u64, StoreError> {
    let paths = files.list(hour).await?;
    store.record_found(hour, &paths).await
}

/// Deletes objects that no manifest has listed for the grace period.
async fn delete(
    store: &Store,
    files: &FileStore,
    settings: &FileSettings,
) -> Result<u64, StoreError> {
    let change = store.deletable_files(settings.grace, MAX_DELETED).await?;
    let count = change.held.len() as u64;
    if count > 0 {
        files.delete(&change.held).await?;
        change.deleted().await?;
    }
    Ok(count)
}

/// Replaces files by one with the same calls.
async fn merge_files(
    store: &Store,
    files: &FileStore,
    group: &MergeGroup,
) -> Result<bool, StoreError> {
    let mut contents = Vec::with_capacity(group.files.len());
    for some in group.files.chunks(READS) {
        let reads = some.iter().map(|file| verified(files, file));
        contents.extend(try_join_all(reads).await?);
    }
    // Off the thread that handles batches.
    let merged = tokio::task::spawn_blocking(move || merge(contents)).await;
    let merged = merged
        .map_err(|error| StoreError::of_files(ErrorClass::Unknown, error.to_string(), ""))?
        .map_err(|error| unwritable(&error))?;
    store.replace_files(group, merged, files).await
}

/// The content of a file, as it was written.
async fn verified(files: &FileStore, file: &CallFile) -> Result<Bytes, StoreError> {
    let content = files.get(&file.path).await?;
    if Sha256::digest(&content)[..] != file.sha256 {
        return Err(StoreError::of_files(
            ErrorClass::Unknown,
            format!("{} has other bytes than the manifest says", file.path),
            "; restore the object, or remove its row from api_files",
        ));
    }
    Ok(content)
}

/// Writes the manifest, whether it has changed or not: what a process that was stopped wrote late is
/// replaced.
async fn write_manifest(store: &Store, files: &FileStore) -> Result<(), StoreError> {
    let change = store.next_manifest().await?;
    let json = manifest::json(&change.held);
    let json = json.map_err(|error| {
        StoreError::of_files(ErrorClass::Unknown, format!("manifest: {error}"), "")
    })?;
    files.put(MANIFEST, json).await?;
    change.written().await
}
