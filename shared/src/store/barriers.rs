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

use sqlx::PgExecutor;

use super::columns::column;
use super::retry::retry_conflicts;
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
        let numbers = column(waits, |wait| wait.number);
        let nonces = column(waits, |wait| wait.nonce);
        let partitions = column(waits, |wait| wait.partition);
        let request = || {
            sqlx::query(include_str!("sql/barrier_request.sql"))
                .bind(topic)
                .bind(&numbers)
                .bind(&nonces)
                .bind(&partitions)
                .execute(&self.pool)
        };
        retry_conflicts(request).await.map(drop)
    }

    /// Claims the partitions in which a barrier is due. The caller must append one with this token;
    /// no other process appends one meanwhile.
    pub async fn claim_barriers(&self, topic: &str, token: Nonce) -> Result<Vec<i32>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/barrier_claim.sql"))
            .bind(topic)
            .bind(token);
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
        let passed = sqlx::query_as(include_str!("sql/barrier_passed.sql"))
            .bind(numbers)
            .fetch_all(&self.pool)
            .await?;
        Ok(passed.into_iter().collect())
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
        .bind(column(barriers, |(topic, ..)| *topic))
        .bind(column(barriers, |(_, partition, _)| *partition))
        .bind(column(barriers, |(.., token)| *token))
        .execute(executor)
        .await?;
    Ok(())
}
