//! Closes orders whose time to pay is over.

use std::collections::HashMap;

use sqlx::{FromRow, Row};

use super::columns::column;
use super::retry::retry_conflicts;
use super::{OrderRow, Store, StoreError, UnsettledBatch};
use crate::message::{Nonce, OrderNumber};
use crate::protection::{Protection, removed, statement};
use crate::sale::Status;

/// The decisions about some orders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closings {
    /// One per order, in the order of the request.
    pub decisions: Vec<Closing>,
    /// Lists the orders that were closed by this call, until the gate is settled by them.
    pub unsettled: Vec<UnsettledBatch>,
}

/// The decision about one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Number of the order in the request.
    pub number: OrderNumber,
    /// Nonce of the order in the request.
    pub nonce: Nonce,
    /// The decision.
    pub decision: CloseDecision,
    /// The row under this number, whatever its nonce.
    pub row: Option<OrderRow>,
}

/// What holds for an order whose time to pay may be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseDecision {
    /// Closed, by this call or an earlier one. Its seats are free.
    Closed,
    /// It has another state and is not closed.
    Final(Status),
    /// Its time to pay is not over by the clock of Postgres.
    NotYet {
        /// Time left, at least 1.
        remaining_ms: i64,
    },
    /// A payment for it waits: match payments, then repeat.
    PaymentWaiting,
    /// The number belongs to another order, so the order of the request never gets a row.
    OtherNonce,
    /// The order is not stored (yet).
    NoRow,
}

impl Store {
    /// Closes those of the orders that are unpaid, overdue and without a waiting payment, then
    /// reads each order in a fresh statement.
    pub async fn close_due(&self, orders: &[(OrderNumber, Nonce)]) -> Result<Closings, StoreError> {
        let mut unsettled = Vec::new();
        unsettled.extend(self.close_once(orders).await?);
        let mut decisions = self.closings(orders).await?;
        if decisions.iter().any(Closing::is_due) {
            // Between the UPDATE and the SELECT, order-create may have committed an order, or its
            // time may have ended. The second UPDATE finds it. What remains then is locked by
            // another transaction.
            unsettled.extend(self.close_once(orders).await?);
            decisions = self.closings(orders).await?;
        }
        Ok(Closings {
            decisions,
            unsettled,
        })
    }

    async fn close_once(
        &self,
        orders: &[(OrderNumber, Nonce)],
    ) -> Result<Option<UnsettledBatch>, StoreError> {
        let numbers = column(orders, |(number, _)| *number);
        let nonces = column(orders, |(_, nonce)| *nonce);
        let close = || {
            sqlx::query_scalar(statement("close_due", include_str!("sql/close_due.sql")))
                .bind(&numbers)
                .bind(&nonces)
                .fetch_optional(&self.pool)
        };
        Ok(retry_conflicts(close).await?.map(UnsettledBatch))
    }

    async fn closings(&self, orders: &[(OrderNumber, Nonce)]) -> Result<Vec<Closing>, StoreError> {
        let found = sqlx::query(include_str!("sql/orders_closing.sql"))
            .bind(column(orders, |(number, _)| *number))
            .fetch_all(&self.pool)
            .await?;
        let mut rows = HashMap::with_capacity(found.len());
        for found in &found {
            let row = OrderRow::from_row(found)?;
            rows.insert(row.number, (row, found.try_get("payment_waiting")?));
        }
        let closings = orders.iter().map(|&(number, nonce)| {
            let (row, payment_waiting) = match rows.get(&number) {
                Some((row, waiting)) => (Some(row), *waiting),
                None => (None, false),
            };
            Closing {
                number,
                nonce,
                decision: CloseDecision::of(row, nonce, payment_waiting),
                row: row.cloned(),
            }
        });
        Ok(closings.collect())
    }
}

impl Closing {
    /// Whether the row that was read could be closed, although the UPDATE has not closed it.
    fn is_due(&self) -> bool {
        let due = self
            .row
            .as_ref()
            .and_then(|row| row.remaining_ms)
            .is_some_and(|remaining| remaining <= 0);
        due && matches!(self.decision, CloseDecision::NotYet { .. })
    }
}

impl CloseDecision {
    /// The decision for a reservation of this nonce, by the row of its number as read after the
    /// UPDATE. Pure.
    pub fn of(row: Option<&OrderRow>, nonce: Nonce, payment_waiting: bool) -> Self {
        let Some(row) = row else {
            return Self::NoRow;
        };
        if row.nonce != nonce && !removed(Protection::Nonce) {
            return Self::OtherNonce;
        }
        match row.status {
            Status::Closed => Self::Closed,
            Status::Unpaid if payment_waiting => Self::PaymentWaiting,
            // If its time ended between UPDATE and SELECT, or another transaction has locked it,
            // the next call closes it.
            Status::Unpaid => Self::NotYet {
                remaining_ms: row.remaining_ms.unwrap_or_default().max(1),
            },
            other => Self::Final(other),
        }
    }
}
