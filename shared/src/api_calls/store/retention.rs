//! Retention: deletes the oldest rows, a bounded number at a time.

use std::time::Duration;

use super::{Store, StoreError};

/// Numbers of deleted rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeletedCalls {
    /// Calls.
    pub calls: u64,
    /// Sums.
    pub minutes: u64,
}

impl Store {
    /// Deletes calls and sums that are too old by the clock of Postgres, the oldest first, at most
    /// `limit` rows of each, in two short transactions. Concurrent calls delete different rows.
    pub async fn delete_old_calls(
        &self,
        keep_calls: Duration,
        keep_minutes: Duration,
        limit: u32,
    ) -> Result<DeletedCalls, StoreError> {
        let calls = self
            .delete_old(include_str!("sql/calls_delete_old.sql"), keep_calls, limit)
            .await?;
        let minutes = self
            .delete_old(
                include_str!("sql/minutes_delete_old.sql"),
                keep_minutes,
                limit,
            )
            .await?;
        Ok(DeletedCalls { calls, minutes })
    }

    async fn delete_old(
        &self,
        sql: &'static str,
        keep: Duration,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let keep = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let query = sqlx::query(sql).bind(keep).bind(i64::from(limit));
        Ok(query.execute(&self.pool).await?.rows_affected())
    }
}
