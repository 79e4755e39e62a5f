//! The buyer ends an unpaid order.

use super::repeat::Repeat;
use super::{OrderRow, Store, StoreError};
use crate::message::{OrderNumber, UserId};

/// What became of a cancellation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancel {
    /// Cancelled by this call; its seats are free.
    Cancelled(OrderRow),
    /// The order was no longer unpaid (cancelled before, paid, closed, ...).
    AlreadyFinal(OrderRow),
    /// Somebody else's order (or a fence without a buyer).
    NotYours,
    /// No such order is stored (yet).
    NoRow,
}

impl Store {
    /// unpaid -> cancelled, if the order is this buyer's.
    pub async fn cancel(&self, number: OrderNumber, user: &UserId) -> Result<Cancel, StoreError> {
        let mut repeat = Repeat::default();
        let changed = loop {
            let result = self.cancel_once(number, user).await;
            if !repeat.again(&result) {
                break result?;
            }
        };
        if let Some(row) = changed {
            return Ok(Cancel::Cancelled(row));
        }
        Ok(match self.order(number).await? {
            None => Cancel::NoRow,
            Some(row) if row.user.as_ref() == Some(user) => Cancel::AlreadyFinal(row),
            Some(_) => Cancel::NotYours,
        })
    }

    async fn cancel_once(&self, number: OrderNumber, user: &UserId) -> Result<Option<OrderRow>, StoreError> {
        let query = sqlx::query(include_str!("sql/cancel.sql")).bind(number.get()).bind(user.as_str());
        query.fetch_optional(&self.pool).await?.as_ref().map(OrderRow::read).transpose()
    }
}
