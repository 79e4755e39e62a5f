//! Committed changes of programs on their way to the stream.
//!
//! A row is written by the transaction that makes the change, so that no crash can come between them. Whoever made the change publishes it
//! and says so; what was left behind the sweep publishes. An entry may so be published twice: that is harmless, losing one is not.

use sqlx::Row;

use super::pool::BoundedConnection;
use super::row::bounded;
use super::{Store, StoreError};
use crate::message::{ProgramChanged, ProgramId, ProgramVersion};

/// For so long a change is its maker's to publish. Publishing one twice only costs work.
const LEFT_AFTER_MS: i64 = 5_000;
/// Published changes are kept for so long, for whoever asks what happened.
const KEPT_MS: i64 = 24 * 3600 * 1000;

impl Store {
    /// Up to `limit` changes that were committed at least five seconds ago and not published since, oldest first.
    pub async fn unpublished(&self, limit: u32) -> Result<Vec<ProgramChanged>, StoreError> {
        let query = sqlx::query(include_str!("sql/outbox_unpublished.sql"))
            .bind(LEFT_AFTER_MS)
            .bind(i64::from(limit));
        let rows = query.fetch_all(&self.pool).await?;
        let read = |row: &sqlx::postgres::PgRow| {
            Ok(ProgramChanged {
                id: bounded(ProgramId::new(row.try_get("program")?))?,
                version: bounded(ProgramVersion::new(row.try_get("version")?))?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// These changes stand in the stream. Returns how many were not known to before.
    pub async fn published(&self, changes: &[ProgramChanged]) -> Result<u64, StoreError> {
        let (programs, versions): (Vec<_>, Vec<_>) = changes
            .iter()
            .map(|c| (c.id.get(), c.version.get()))
            .unzip();
        let query = sqlx::query(include_str!("sql/outbox_published.sql"))
            .bind(programs)
            .bind(versions);
        Ok(query.execute(&self.pool).await?.rows_affected())
    }

    /// Forgets up to `limit` changes published more than a day ago.
    pub async fn delete_published(&self, limit: u32) -> Result<u64, StoreError> {
        let query = sqlx::query(include_str!("sql/outbox_delete.sql"))
            .bind(KEPT_MS)
            .bind(i64::from(limit));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}

/// Notes a change in the transaction that makes it.
pub(super) async fn add(
    tx: &mut BoundedConnection,
    change: ProgramChanged,
) -> Result<(), StoreError> {
    let query = sqlx::query(include_str!("sql/outbox_add.sql"))
        .bind(change.id.get())
        .bind(change.version.get());
    query.execute(tx).await?;
    Ok(())
}
