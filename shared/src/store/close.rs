//! Closes orders whose time to pay is over.

use std::collections::{HashMap, HashSet};

use super::columns::column;
use super::retry::retry_conflicts;
use super::{OrderRow, Store, StoreError};
use crate::message::{Nonce, OrderNumber};
use crate::sale::Status;

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
    /// reads each order in a fresh statement. Returns one decision per order, in the same order.
    pub async fn close_due(
        &self,
        orders: &[(OrderNumber, Nonce)],
    ) -> Result<Vec<Closing>, StoreError> {
        self.close_once(orders).await?;
        let closings = self.closings(orders).await?;
        if !closings.iter().any(Closing::is_due) {
            return Ok(closings);
        }
        // Between the UPDATE and the SELECT, order-create may have committed an order, or its time
        // may have ended. The second UPDATE finds it. What remains then is locked by another
        // transaction.
        self.close_once(orders).await?;
        self.closings(orders).await
    }

    async fn close_once(&self, orders: &[(OrderNumber, Nonce)]) -> Result<(), StoreError> {
        let numbers = column(orders, |(number, _)| *number);
        let nonces = column(orders, |(_, nonce)| *nonce);
        let close = || {
            sqlx::query(include_str!("sql/close_due.sql"))
                .bind(&numbers)
                .bind(&nonces)
                .execute(&self.pool)
        };
        retry_conflicts(close).await.map(drop)
    }

    async fn closings(&self, orders: &[(OrderNumber, Nonce)]) -> Result<Vec<Closing>, StoreError> {
        let numbers = column(orders, |(number, _)| *number);
        let waiting: Vec<OrderNumber> =
            sqlx::query_scalar(include_str!("sql/payments_waiting.sql"))
                .bind(&numbers)
                .fetch_one(&self.pool)
                .await?;
        let waiting: HashSet<_> = waiting.into_iter().collect();
        let rows = self.orders(&numbers).await?;
        let rows: HashMap<OrderNumber, OrderRow> =
            rows.into_iter().map(|row| (row.number, row)).collect();
        let closings = orders.iter().map(|&(number, nonce)| {
            let row = rows.get(&number).cloned();
            let decision = decide(row.as_ref(), nonce, waiting.contains(&number));
            Closing {
                number,
                nonce,
                decision,
                row,
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

/// The decision for a reservation of this nonce, by the row that was read after the UPDATE.
fn decide(row: Option<&OrderRow>, nonce: Nonce, payment_waiting: bool) -> CloseDecision {
    let Some(row) = row else {
        return CloseDecision::NoRow;
    };
    if row.nonce != nonce {
        return CloseDecision::OtherNonce;
    }
    match row.status {
        Status::Closed => CloseDecision::Closed,
        Status::Unpaid if payment_waiting => CloseDecision::PaymentWaiting,
        // If its time ended between UPDATE and SELECT, or another transaction has locked it, the
        // next call closes it.
        Status::Unpaid => CloseDecision::NotYet {
            remaining_ms: row.remaining_ms.unwrap_or_default().max(1),
        },
        other => CloseDecision::Final(other),
    }
}
