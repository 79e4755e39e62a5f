//! Orders by their clients' keys, for a gate that has lost its keys.

use super::columns::from_row;
use super::{Store, StoreError};
use crate::message::{BodyHash, IdempotencyKey, Nonce, OrderNumber, ProgramId, UserId};

/// An order and its client's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedOrder {
    /// Number of the order.
    pub number: OrderNumber,
    /// Its nonce.
    pub nonce: Nonce,
    /// Its buyer. Keys are per buyer.
    pub user: UserId,
    /// The key.
    pub key: IdempotencyKey,
    /// Hash of the request; `None` for orders stored before the hash was.
    pub body_hash: Option<BodyHash>,
}

from_row!(KeyedOrder {
    number, nonce, user = "user_id", key = "idempotency_key", body_hash = "idempotency_hash",
});

impl Store {
    /// A program's orders that have ended (cancelled, closed, refunded) and have a key, with
    /// numbers above `after`, ascending.
    pub async fn keyed_ended(
        &self,
        program: ProgramId,
        after: Option<OrderNumber>,
        limit: u32,
    ) -> Result<Vec<KeyedOrder>, StoreError> {
        let after = after.map_or(0, OrderNumber::get);
        Ok(sqlx::query_as(include_str!("sql/orders_keyed_ended.sql"))
            .bind(program)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }
}
