//! Barriers that prove an accepted order lost.
//!
//! An accepted order without a row is either stored later or lost: its record was deleted before
//! order-create read it, or went with a topic that was created again. Offsets and times cannot
//! always distinguish the two. A barrier can. If it was appended to the order's partition after the
//! order was accepted, it stands behind the order's record. Once order-create has passed it and the
//! order has no row, the order never gets one.
//!
//! The timeout-closer requests a barrier ([`Store::request_barriers`]), a storefront appends it
//! ([`Store::claim_barriers`]), and order-create records that it has passed it, in the transaction
//! that advances over it ([`pass`]).

use std::collections::HashSet;

use sqlx::{PgExecutor, Row};

use super::retry::ConflictRetry;
use super::row::{bounded, nonce};
use super::{Store, StoreError};
use crate::message::{Nonce, OrderNumber};

/// An accepted order that waits for a barrier in its partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BarrierWait {
    /// Number of the order.
    pub number: OrderNumber,
    /// Nonce of the order.
    pub nonce: Nonce,
    /// The partition of its record.
    pub partition: i32,
}

impl Store {
    /// Requests a barrier for accepted orders. An order that waits already causes no further
    /// request.
    pub async fn request_barriers(
        &self,
        topic: &str,
        waits: &[BarrierWait],
    ) -> Result<(), StoreError> {
        if waits.is_empty() {
            return Ok(());
        }
        let numbers: Vec<i64> = waits.iter().map(|wait| wait.number.get()).collect();
        let nonces: Vec<Vec<u8>> = waits
            .iter()
            .map(|wait| wait.nonce.bytes().to_vec())
            .collect();
        let partitions: Vec<i32> = waits.iter().map(|wait| wait.partition).collect();
        let mut retry = ConflictRetry::default();
        loop {
            let query = sqlx::query(include_str!("sql/barrier_request.sql"))
                .bind(topic)
                .bind(&numbers)
                .bind(&nonces);
            let result = query
                .bind(&partitions)
                .execute(&self.pool)
                .await
                .map_err(StoreError::from);
            if !retry.is_due(&result) {
                return result.map(drop);
            }
        }
    }

    /// Claims the partitions in which a barrier is due. The caller must append one with this token;
    /// no other process appends one meanwhile.
    pub async fn claim_barriers(&self, topic: &str, token: Nonce) -> Result<Vec<i32>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/barrier_claim.sql"))
            .bind(topic)
            .bind(token.bytes().to_vec());
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Marks a barrier as passed because the topic no longer has its partition.
    pub async fn pass_barrier(
        &self,
        topic: &str,
        partition: i32,
        token: Nonce,
    ) -> Result<(), StoreError> {
        pass(&self.pool, &[(topic, partition, token)]).await
    }

    /// The orders behind which order-create has passed a barrier. If one of them has no row
    /// *afterwards*, it is lost.
    pub async fn behind_barriers(
        &self,
        numbers: &[OrderNumber],
    ) -> Result<HashSet<(OrderNumber, Nonce)>, StoreError> {
        let numbers: Vec<i64> = numbers.iter().map(|number| number.get()).collect();
        let rows = sqlx::query(include_str!("sql/barrier_passed.sql"))
            .bind(numbers)
            .fetch_all(&self.pool)
            .await?;
        let read = |row: &sqlx::postgres::PgRow| {
            Ok((
                bounded(OrderNumber::new(row.try_get("order_number")?))?,
                nonce(row.try_get("nonce")?)?,
            ))
        };
        rows.iter().map(read).collect()
    }

    /// Deletes the waits of orders that have a row by now. Returns how many.
    pub async fn delete_barrier_waits(&self) -> Result<u64, StoreError> {
        Ok(sqlx::query(include_str!("sql/barrier_delete.sql"))
            .execute(&self.pool)
            .await?
            .rows_affected())
    }
}

/// Records that barriers (topic, partition, token) are passed.
pub(super) async fn pass(
    executor: impl PgExecutor<'_>,
    barriers: &[(&str, i32, Nonce)],
) -> Result<(), StoreError> {
    if barriers.is_empty() {
        return Ok(());
    }
    sqlx::query(include_str!("sql/barrier_pass.sql"))
        .bind(
            barriers
                .iter()
                .map(|(topic, ..)| *topic)
                .collect::<Vec<_>>(),
        )
        .bind(
            barriers
                .iter()
                .map(|(_, partition, _)| *partition)
                .collect::<Vec<_>>(),
        )
        .bind(
            barriers
                .iter()
                .map(|(.., token)| token.bytes().to_vec())
                .collect::<Vec<_>>(),
        )
        .execute(executor)
        .await?;
    Ok(())
}
