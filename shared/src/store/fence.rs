//! The void fence: a row that prevents order-create from ever storing an order.

use super::retry::retry_conflicts;
use super::{OrderRow, Store, StoreError};
use crate::message::{
    CategoryNo, IdempotencyKey, Nonce, OrderNumber, OrderRequested, ProgramId, SeatIndex, UserId,
};

/// An order to fence. The known fields are stored, so that later steps can settle the gate by the
/// row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The number to fence.
    pub number: OrderNumber,
    /// Nonce of the reservation.
    pub nonce: Nonce,
    /// The buyer, if known.
    pub user: Option<UserId>,
    /// The program, if known.
    pub program: Option<ProgramId>,
    /// The category, if known.
    pub category: Option<CategoryNo>,
    /// The known seats.
    pub seats: Vec<SeatIndex>,
    /// The client's key, if it sent one.
    pub key: Option<IdempotencyKey>,
    /// Why, as a short code (`publish_unknown`, `abandoned`, `cancelled`, ...).
    pub reason: &'static str,
}

impl Fence {
    /// Of the order that a message requests.
    pub fn of_message(request: &OrderRequested, reason: &'static str) -> Self {
        Self {
            user: Some(request.user.clone()),
            category: Some(request.category),
            seats: request.seats.clone(),
            key: request.idempotency_key.clone(),
            ..Self::of_number(request.order, request.nonce, request.program, reason)
        }
    }

    /// Of an order of which no more is known.
    pub fn of_number(
        number: OrderNumber,
        nonce: Nonce,
        program: ProgramId,
        reason: &'static str,
    ) -> Self {
        Self {
            number,
            nonce,
            user: None,
            program: Some(program),
            category: None,
            seats: Vec::new(),
            key: None,
            reason,
        }
    }
}

/// Result of a fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced {
    /// The number had no row. It is void now.
    New(OrderRow),
    /// The number has a row, possibly of another nonce. That row decides.
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
    /// Makes the number void unless it has a row. Marks payments that wait for it for a refund.
    /// Idempotent.
    pub async fn fence(&self, fence: &Fence) -> Result<Fenced, StoreError> {
        let made = retry_conflicts(|| self.fence_once(fence)).await?;
        if let Some(row) = made {
            // A payment may have been recorded while neither transaction was committed, so match
            // again.
            self.match_payments(&[fence.number]).await?;
            return Ok(Fenced::New(row));
        }
        match self.order(fence.number).await? {
            Some(row) => Ok(Fenced::Existing(row)),
            None => Err(StoreError::unknown(format!(
                "order {} had a row and has none now, although rows are never deleted",
                fence.number
            ))),
        }
    }

    async fn fence_once(&self, fence: &Fence) -> Result<Option<OrderRow>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/fence.sql"))
            .bind(fence.number)
            .bind(fence.nonce)
            .bind(&fence.user)
            .bind(fence.program)
            .bind(fence.category)
            .bind(&fence.seats)
            .bind(&fence.key)
            .bind(fence.reason)
            .fetch_optional(&self.pool)
            .await
    }
}
