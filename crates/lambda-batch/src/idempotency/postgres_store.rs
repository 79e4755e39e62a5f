//! Idempotency keys in Postgres: a row per key, each change one statement.

use std::time::Duration;

use sqlx::{PgPool, Row};

use super::{IdempotencyLease, IdempotencyState, IdempotencyStore};

/// Attempts to lease a key that is neither free nor held when it is read.
const MAX_ATTEMPTS: u32 = 8;

/// Keeps idempotency keys in the table `idempotency_keys` of the connection's schema.
///
/// Expired rows do not hold a key but stay until [`Self::delete_expired`] is called.
#[derive(Debug, Clone)]
pub struct PostgresIdempotency {
    pool: PgPool,
}

impl PostgresIdempotency {
    /// Over an existing pool, whose `search_path` names the schema.
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Creates the table if there is none.
    pub async fn create_table(&self) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(include_str!("sql/table.sql"))
            .execute(&self.pool)
            .await
            .map(drop)
    }

    /// Deletes at most `limit` expired rows, the oldest first. Returns how many.
    pub async fn delete_expired(&self, limit: u32) -> Result<u64, sqlx::Error> {
        let deleted = sqlx::query(include_str!("sql/delete_expired.sql"))
            .bind(i64::from(limit))
            .execute(&self.pool)
            .await?;
        Ok(deleted.rows_affected())
    }

    async fn held(
        &self,
        lease: &IdempotencyLease<'_>,
    ) -> Result<Option<IdempotencyState>, sqlx::Error> {
        let row = sqlx::query(include_str!("sql/held.sql"))
            .bind(lease.key)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let payload: Vec<u8> = row.try_get("payload")?;
        let result: Option<Vec<u8>> = row.try_get("result")?;
        Ok(Some(if payload != lease.payload {
            IdempotencyState::PayloadDiffers
        } else if let Some(result) = result {
            IdempotencyState::Completed(result)
        } else {
            IdempotencyState::InProgress
        }))
    }
}

impl IdempotencyStore for PostgresIdempotency {
    type Error = sqlx::Error;

    async fn begin(
        &self,
        lease: &IdempotencyLease<'_>,
        lease_time: Duration,
    ) -> Result<IdempotencyState, sqlx::Error> {
        for _ in 0..MAX_ATTEMPTS {
            let leased = sqlx::query(include_str!("sql/begin.sql"))
                .bind(lease.key)
                .bind(&lease.payload[..])
                .bind(&lease.token.to_be_bytes()[..])
                .bind(milliseconds(lease_time))
                .execute(&self.pool)
                .await?;
            if leased.rows_affected() > 0 {
                return Ok(IdempotencyState::Leased);
            }
            // Between the two statements the row may have been released or may have expired.
            if let Some(state) = self.held(lease).await? {
                return Ok(state);
            }
        }
        Ok(IdempotencyState::InProgress)
    }

    async fn complete(
        &self,
        lease: &IdempotencyLease<'_>,
        result: &[u8],
        keep: Duration,
    ) -> Result<bool, sqlx::Error> {
        let stored = sqlx::query(include_str!("sql/complete.sql"))
            .bind(lease.key)
            .bind(&lease.payload[..])
            .bind(&lease.token.to_be_bytes()[..])
            .bind(result)
            .bind(milliseconds(keep))
            .execute(&self.pool)
            .await?;
        Ok(stored.rows_affected() > 0)
    }

    async fn release(&self, lease: &IdempotencyLease<'_>) -> Result<(), sqlx::Error> {
        sqlx::query(include_str!("sql/release.sql"))
            .bind(lease.key)
            .bind(&lease.token.to_be_bytes()[..])
            .execute(&self.pool)
            .await
            .map(drop)
    }
}

/// Milliseconds, at most what an interval of a century has.
fn milliseconds(time: Duration) -> i64 {
    const CENTURY_MS: i64 = 3_155_760_000_000;
    i64::try_from(time.as_millis()).map_or(CENTURY_MS, |ms| ms.clamp(1, CENTURY_MS))
}
