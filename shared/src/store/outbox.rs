//! The outbox: committed program changes that the stream may not have yet.
//!
//! The transaction that makes a change writes its outbox row, so no crash can separate the two. The
//! storefront that made the change publishes it and marks the row. The sweep publishes the rows
//! that remain unmarked. A change may be published twice, which is harmless, but is never lost.

use super::columns::{column, from_row};
use super::pool::BoundedConnection;
use super::{Store, StoreError};
use crate::message::ProgramChanged;
use crate::protection::statement;

/// Until then the storefront that made a change publishes it. Publishing it twice only costs work.
const LEFT_AFTER_MS: i64 = 5_000;
/// How long published changes are kept for inspection.
const KEPT_MS: i64 = 24 * 3600 * 1000;

from_row!(ProgramChanged { id = "program", version });

impl Store {
    /// At most `limit` changes that were committed at least five seconds ago and are not marked as
    /// published, oldest first.
    pub async fn unpublished(&self, limit: u32) -> Result<Vec<ProgramChanged>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/outbox_unpublished.sql"))
            .bind(LEFT_AFTER_MS)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// Marks changes as published. Returns how many were not marked before.
    pub async fn published(&self, changes: &[ProgramChanged]) -> Result<u64, StoreError> {
        let query = sqlx::query(include_str!("sql/outbox_published.sql"))
            .bind(column(changes, |change| change.id))
            .bind(column(changes, |change| change.version));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }

    /// Deletes at most `limit` changes published more than a day ago.
    pub async fn delete_published(&self, limit: u32) -> Result<u64, StoreError> {
        let query = sqlx::query(include_str!("sql/outbox_delete.sql"))
            .bind(KEPT_MS)
            .bind(i64::from(limit));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}

/// Adds a change, in the transaction that makes it.
pub(super) async fn add(
    tx: &mut BoundedConnection,
    change: ProgramChanged,
) -> Result<(), StoreError> {
    let query = sqlx::query(statement("outbox_add", include_str!("sql/outbox_add.sql")))
        .bind(change.id)
        .bind(change.version);
    query.execute(tx).await?;
    Ok(())
}
