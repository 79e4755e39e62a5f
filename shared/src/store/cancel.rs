//! The buyer cancels an unpaid order.

use super::retry::{StaleReadRetry, retry_conflicts};
use super::{OrderRow, Store, StoreError};
use crate::message::{OrderNumber, UserId};
use crate::sale::Status;

/// Result of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancel {
    /// Cancelled by this call. Its seats are free.
    Cancelled(OrderRow),
    /// The order was not unpaid (cancelled before, paid, closed, ...).
    AlreadyFinal(OrderRow),
    /// Another buyer's order (or a fence without a buyer).
    OtherBuyer,
    /// No such order is stored (yet).
    NoRow,
}

impl Store {
    /// unpaid -> cancelled, if the order is this buyer's. Also cancels an order that order-create
    /// commits meanwhile.
    pub async fn cancel(&self, number: OrderNumber, user: &UserId) -> Result<Cancel, StoreError> {
        let mut stale = StaleReadRetry::default();
        loop {
            let cancelled = retry_conflicts(|| self.cancel_once(number, user)).await?;
            if let Some(row) = cancelled {
                return Ok(Cancel::Cancelled(row));
            }
            let Some(row) = self.order(number).await? else {
                return Ok(Cancel::NoRow);
            };
            if row.user.as_ref() != Some(user) {
                return Ok(Cancel::OtherBuyer);
            }
            if !stale.is_due(row.status == Status::Unpaid) {
                return Ok(Cancel::AlreadyFinal(row));
            }
        }
    }

    async fn cancel_once(
        &self,
        number: OrderNumber,
        user: &UserId,
    ) -> Result<Option<OrderRow>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/cancel.sql"))
            .bind(number)
            .bind(user)
            .fetch_optional(&self.pool)
            .await
    }
}
