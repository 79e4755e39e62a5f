//! Deletes rows that are older than their retention, so that no table grows for ever. Live orders
//! stay: the seats of their programs bound them.

use super::{Store, StoreError};
use crate::message::{OrderNumber, Shard};
use crate::sale::{RowRetention, deletable_before_ms};

/// How many rows one call has deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Orders that had ended.
    pub orders: u64,
    /// Payments that were refunded; their refunds are deleted with them.
    pub payments: u64,
    /// Parked records, and gaps.
    pub parked: u64,
}

impl Store {
    /// Deletes at most `limit` rows of each kind, by the clock of Postgres. Payments go before their
    /// orders, whose rows go with a later call once no payment is left.
    pub async fn delete_expired(
        &self,
        retention: RowRetention,
        limit: u32,
    ) -> Result<Deleted, StoreError> {
        let now_ms: i64 = sqlx::query_scalar(include_str!("sql/clock.sql"))
            .fetch_one(&self.pool)
            .await?;
        let before = |days| deletable_before_ms(u64::try_from(now_ms).unwrap_or(0), days);
        let limit = i64::from(limit);
        let payments: i64 = sqlx::query_scalar(include_str!("sql/delete_refunded.sql"))
            .bind(before(retention.refunded_days) as i64)
            .bind(limit)
            .fetch_one(&self.pool)
            .await?;
        let mut orders = 0;
        // Before the first day that a number can contain, there is no order to delete.
        let made_at_ms = before(retention.ended_days);
        let oldest_kept =
            Shard::new(0).and_then(|first| OrderNumber::compose(made_at_ms, first, 0));
        if let Ok(oldest_kept) = oldest_kept {
            let query = sqlx::query(include_str!("sql/delete_ended.sql"))
                .bind(oldest_kept)
                .bind(limit);
            orders = query.execute(&self.pool).await?.rows_affected();
        }
        let parked: i64 = sqlx::query_scalar(include_str!("sql/delete_parked.sql"))
            .bind(before(retention.parked_days) as i64)
            .bind(limit)
            .fetch_one(&self.pool)
            .await?;
        let gaps = sqlx::query(include_str!("sql/delete_gaps.sql"))
            .bind(before(retention.parked_days) as i64)
            .bind(limit)
            .execute(&self.pool)
            .await?;
        Ok(Deleted {
            orders,
            payments: payments.max(0) as u64,
            parked: parked.max(0) as u64 + gaps.rows_affected(),
        })
    }
}
