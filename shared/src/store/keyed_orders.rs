//! Orders by their clients' keys, for a gate that has lost its keys.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::row::{bounded, nonce};
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

impl KeyedOrder {
    /// `None` if the row has no key.
    pub(super) fn read(row: &PgRow) -> Result<Option<Self>, StoreError> {
        let Some(key) = row.try_get::<Option<String>, _>("idempotency_key")? else {
            return Ok(None);
        };
        let hash: Option<&[u8]> = row.try_get("idempotency_hash")?;
        let hash = hash.map(|bytes| bytes.try_into().map(BodyHash::new));
        Ok(Some(Self {
            number: bounded(OrderNumber::new(row.try_get("number")?))?,
            nonce: nonce(row.try_get("nonce")?)?,
            user: bounded(UserId::new(row.try_get::<String, _>("user_id")?))?,
            key: bounded(IdempotencyKey::new(key))?,
            body_hash: hash
                .transpose()
                .map_err(|_| StoreError::corrupt("a stored body hash is not 32 bytes"))?,
        }))
    }
}

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
        let query = sqlx::query(include_str!("sql/orders_keyed_ended.sql"))
            .bind(program.get())
            .bind(after)
            .bind(i64::from(limit));
        let rows = query.fetch_all(&self.pool).await?;
        let named = rows
            .iter()
            .map(KeyedOrder::read)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(named.into_iter().flatten().collect())
    }
}
