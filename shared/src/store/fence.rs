//! The void fence: a row that makes sure an order is never created.

use super::retry::ConflictRetry;
use super::{OrderRow, Store, StoreError};
use crate::message::{
    CategoryNo, IdempotencyKey, Nonce, OrderNumber, ProgramId, SeatIndex, UserId,
};

/// An order that is never to be. What is known of it is kept, for those who settle it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The number to fence.
    pub number: OrderNumber,
    /// The nonce of the reservation that is given up.
    pub nonce: Nonce,
    /// The buyer, if known.
    pub user: Option<UserId>,
    /// The program, if known.
    pub program: Option<ProgramId>,
    /// The category, if known.
    pub category: Option<CategoryNo>,
    /// The seats, as far as known.
    pub seats: Vec<SeatIndex>,
    /// The client's key, if it sent one.
    pub key: Option<IdempotencyKey>,
    /// Why, in a word or two (`publish_unknown`, `abandoned`, `cancelled`, ...).
    pub reason: &'static str,
}

/// What the fence found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced {
    /// The number was free; it is void now.
    New(OrderRow),
    /// The number has a row; that row decides (look at its nonce too).
    Existing(OrderRow),
}

impl Fenced {
    /// The row that decides.
    pub fn row(&self) -> &OrderRow {
        match self {
            Self::New(row) | Self::Existing(row) => row,
        }
    }
}

impl Store {
    /// Makes the number void unless it has a row. Payments waiting for it are marked to be refunded. Repeating it is harmless.
    pub async fn fence(&self, fence: &Fence) -> Result<Fenced, StoreError> {
        let mut retry = ConflictRetry::default();
        let made = loop {
            let result = self.fence_once(fence).await;
            if !retry.is_due(&result) {
                break result?;
            }
        };
        if let Some(row) = made {
            // A payment may have been recorded while neither side was committed: look for it now.
            self.match_payments(&[fence.number]).await?;
            return Ok(Fenced::New(row));
        }
        match self.order(fence.number).await? {
            Some(row) => Ok(Fenced::Existing(row)),
            None => Err(StoreError::corrupt(format!(
                "order {} was there and is not: rows are never deleted",
                fence.number
            ))),
        }
    }

    async fn fence_once(&self, fence: &Fence) -> Result<Option<OrderRow>, StoreError> {
        let query = sqlx::query(include_str!("sql/fence.sql"))
            .bind(fence.number.get())
            .bind(fence.nonce.bytes().to_vec())
            .bind(fence.user.as_ref().map(UserId::as_str))
            .bind(fence.program.map(ProgramId::get))
            .bind(fence.category.map(|c| c.get() as i16))
            .bind(
                fence
                    .seats
                    .iter()
                    .map(|s| s.get() as i32)
                    .collect::<Vec<_>>(),
            )
            .bind(fence.key.as_ref().map(IdempotencyKey::as_str))
            .bind(fence.reason);
        query
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(OrderRow::read)
            .transpose()
    }
}
