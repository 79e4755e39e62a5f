//! Retention: the oldest rows go, a bounded number at a time.

use std::time::Duration;

use super::{Store, StoreError};

/// What was deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Records.
    pub calls: u64,
    /// Rows of sums.
    pub minutes: u64,
}

impl Store {
    /// Deletes records and sums older than they are to be kept, the oldest first, at most `limit` rows of each: two short transactions, by
    /// Postgres' clock. Safe to run anywhere at any time; who runs it at the same time deletes other rows.
    pub async fn forget_calls(
        &self,
        keep_calls: Duration,
        keep_minutes: Duration,
        limit: u32,
    ) -> Result<Forgotten, StoreError> {
        let calls = self
            .forget(include_str!("../sql/calls_forget.sql"), keep_calls, limit)
            .await?;
        let minutes = self
            .forget(
                include_str!("../sql/minutes_forget.sql"),
                keep_minutes,
                limit,
            )
            .await?;
        Ok(Forgotten { calls, minutes })
    }

    async fn forget(
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
