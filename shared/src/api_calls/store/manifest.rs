//! The manifest: which files have calls, how they replace each other, and when their objects are
//! deleted.
//!
//! Every change is one transaction, and an object is written only while its row is locked:
//!
//! ```text
//! batch:   progress, rows of new files; objects; commit
//! merge:   row of the merged file, its sources removed; object; commit
//! expire:  rows removed; commit
//! found:   rows of objects that no row names, as removed; commit
//! delete:  rows that are removed for the grace period; objects; rows; commit
//! ```
//!
//! A crash before a commit leaves an object without a row, or with a row that is removed; it is
//! written again by a repetition, or found and deleted. A crash within a deletion leaves rows, whose
//! objects are deleted again. An object that a manifest lists is neither deleted nor changed.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::{CallFiles, Store, StoreError};
use crate::api_calls::{CallFile, CallGroup, CallOrigin, CallRange, Hour, files_to_merge};
use crate::store::columns::column;
use crate::store::pool::{BoundedConnection, PooledConnection};

/// When files are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeRules {
    /// Size at which a file is large enough, bytes.
    pub target_bytes: u64,
    /// Number of files of one level that are merged while their hour still gets calls.
    pub files: u32,
    /// An hour that gets no call for so long is quiet: all its small files are merged.
    pub quiet: Duration,
    /// Maximum files that are merged at a time.
    pub max_files: u32,
}

/// Files of one source and hour that are merged next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeGroup {
    /// At least two, ascending by level and offset.
    pub files: Vec<CallFile>,
    /// Whether the hour gets no more calls.
    pub quiet: bool,
    stored_ms: i64,
}

/// The files with calls at a point in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Ascends with each manifest.
    pub version: i64,
    /// When it was read, milliseconds since 1970.
    pub as_of_ms: i64,
    /// Ascending by path.
    pub files: Vec<CallFile>,
}

/// A transaction that holds the rows of objects, or the version of a manifest.
#[derive(Debug)]
pub struct ManifestChange<T> {
    tx: PooledConnection,
    /// What it holds.
    pub held: T,
}

impl Store {
    /// The files that are merged next, if any. `schema_version`: the newest that the caller reads.
    pub async fn merge_group(
        &self,
        rules: &MergeRules,
        schema_version: i32,
    ) -> Result<Option<MergeGroup>, StoreError> {
        let rows = sqlx::query(include_str!("sql/files_group.sql"))
            // Two of them are at most as large as the target.
            .bind((rules.target_bytes / 2) as i64)
            .bind(schema_version)
            .bind(i64::from(rules.files))
            .bind(millis(rules.quiet))
            .bind(i64::from(rules.max_files))
            .fetch_all(&self.pool)
            .await?;
        let mut files = Vec::with_capacity(rows.len());
        for row in &rows {
            files.push(CallFile::from_row(row)?);
        }
        let count = files_to_merge(&files, rules.target_bytes);
        let mut stored_ms = 0_i64;
        for row in &rows[..count] {
            stored_ms = stored_ms.max(row.try_get("stored_ms")?);
        }
        let Some(first) = rows.first().filter(|_| count > 0) else {
            return Ok(None);
        };
        files.truncate(count);
        Ok(Some(MergeGroup {
            files,
            quiet: first.try_get("quiet")?,
            stored_ms,
        }))
    }

    /// Replaces the files of a group by one with the same calls. Returns whether it did: `false` if
    /// another process has merged or removed one of them.
    pub async fn replace_files(
        &self,
        group: &MergeGroup,
        content: Vec<u8>,
        files: &dyn CallFiles,
    ) -> Result<bool, StoreError> {
        let version = files.schema_version();
        let Some(merged) = CallFile::merged(&group.files, &content, version) else {
            return Ok(false);
        };
        let paths = column(&group.files, |file| file.path.as_str());
        let mut tx = self.pool.begin().await?;
        let replaced = sqlx::query(include_str!("sql/files_replaced.sql"))
            .bind(&paths)
            .execute(&mut *tx)
            .await?;
        if replaced.rows_affected() < paths.len() as u64 {
            return Ok(false);
        }
        add_files(&mut tx, &[&merged], Some(group.stored_ms)).await?;
        files.put(&merged.path, content).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Removes the files of the oldest hour from the manifest if the hour began longer ago than
    /// `keep`. Returns the hour.
    pub async fn expire_files(&self, keep: Duration) -> Result<Option<Hour>, StoreError> {
        let rows = sqlx::query(include_str!("sql/files_expire.sql"))
            .bind(millis(keep))
            .fetch_all(&self.pool)
            .await?;
        let hour = rows.first().map(|row| row.try_get("hour_ms")).transpose()?;
        Ok(hour.map(Hour::of_ms))
    }

    /// Records the objects in the folder of an hour that have no row. Returns how many there were.
    pub async fn record_found(
        &self,
        hour: Hour,
        paths: &BTreeSet<String>,
    ) -> Result<u64, StoreError> {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let found = sqlx::query(include_str!("sql/files_found.sql"))
            .bind(hour.start_ms())
            .bind(paths)
            .execute(&self.pool)
            .await?;
        Ok(found.rows_affected())
    }

    /// Paths of objects that no manifest has listed for `grace`, at most `limit`. The caller
    /// deletes the objects, then calls [`ManifestChange::deleted`]; without that the rows stay, and
    /// the objects are deleted again.
    ///
    /// `grace` must be longer than a batch takes, and than readers use a manifest.
    pub async fn deletable_files(
        &self,
        grace: Duration,
        limit: u32,
    ) -> Result<ManifestChange<Vec<String>>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let held = sqlx::query_scalar(include_str!("sql/files_deletable.sql"))
            .bind(millis(grace))
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        Ok(ManifestChange { tx, held })
    }

    /// The next manifest. The caller writes it, then calls [`ManifestChange::written`]. Another
    /// process waits meanwhile, so manifests are written in the order of their versions.
    pub async fn next_manifest(&self) -> Result<ManifestChange<Manifest>, StoreError> {
        let mut tx = self.pool.begin().await?;
        let next = sqlx::query(include_str!("sql/manifest_next.sql"))
            .fetch_one(&mut *tx)
            .await?;
        let files = sqlx::query_as(include_str!("sql/files_live.sql"))
            .fetch_all(&mut *tx)
            .await?;
        let held = Manifest {
            version: next.try_get("version")?,
            as_of_ms: next.try_get("now_ms")?,
            files,
        };
        Ok(ManifestChange { tx, held })
    }
}

impl ManifestChange<Vec<String>> {
    /// The objects are deleted.
    pub async fn deleted(mut self) -> Result<(), StoreError> {
        sqlx::query(include_str!("sql/files_deleted.sql"))
            .bind(&self.held)
            .execute(&mut *self.tx)
            .await?;
        Ok(self.tx.commit().await?)
    }
}

impl ManifestChange<Manifest> {
    /// The manifest is written.
    pub async fn written(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}

/// Inserts the rows of files. `stored_ms`: when the newest of their calls was stored, if not now.
pub(super) async fn add_files(
    connection: &mut BoundedConnection,
    files: &[&CallFile],
    stored_ms: Option<i64>,
) -> Result<(), StoreError> {
    let range = |of: fn(&CallRange) -> i64| column(files, |file| of(&file.group.range));
    let added = sqlx::query(include_str!("sql/files_add.sql"))
        .bind(column(files, |file| file.path.as_str()))
        .bind(column(files, |file| file.group.hour.start_ms()))
        .bind(column(files, |file| file.group.source))
        .bind(range(|range| range.first_offset))
        .bind(range(|range| range.last_offset))
        .bind(range(|range| range.calls as i64))
        .bind(column(files, |file| file.bytes as i64))
        .bind(range(|range| range.min_at_ms))
        .bind(range(|range| range.max_at_ms))
        .bind(column(files, |file| file.sha256.as_slice()))
        .bind(column(files, |file| file.schema_version))
        .bind(column(files, |file| file.level))
        .bind(stored_ms)
        .execute(connection)
        .await?;
    if added.rows_affected() < files.len() as u64 {
        return Err(StoreError::unknown(
            "a file with these calls is in the manifest already: progress has been lost",
        ));
    }
    Ok(())
}

impl FromRow<'_, PgRow> for CallFile {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let number = |name| row.try_get::<i64, _>(name);
        let sha256: Vec<u8> = row.try_get("sha256")?;
        let group = CallGroup {
            source: row.try_get("source")?,
            origin: CallOrigin {
                topic: row.try_get("topic")?,
                partition: row.try_get("partition")?,
                incarnation: row.try_get("incarnation")?,
            },
            hour: Hour::of_ms(number("hour_ms")?),
            range: CallRange {
                first_offset: number("first_offset")?,
                last_offset: number("last_offset")?,
                calls: number("calls")? as u64,
                min_at_ms: number("min_at_ms")?,
                max_at_ms: number("max_at_ms")?,
            },
        };
        Ok(Self {
            path: row.try_get("path")?,
            group,
            bytes: number("bytes")? as u64,
            sha256: sha256
                .try_into()
                .map_err(|_| sqlx::Error::Decode("sha256 does not have 32 bytes".into()))?,
            schema_version: row.try_get("schema_version")?,
            level: row.try_get("level")?,
        })
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
