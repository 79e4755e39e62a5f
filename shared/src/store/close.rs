//! The end of the time to pay.

use std::collections::{HashMap, HashSet};

use super::retry::ConflictRetry;
use super::{OrderRow, Store, StoreError};
use crate::message::{Nonce, OrderNumber};
use crate::sale::Status;

/// What was decided about an order whose time may be up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The order asked about.
    pub number: OrderNumber,
    /// The nonce asked about.
    pub nonce: Nonce,
    /// The decision.
    pub decision: CloseDecision,
    /// The row under this number, whatever its nonce.
    pub row: Option<OrderRow>,
}

/// A decision about an order whose time may be up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseDecision {
    /// It is closed, now or since an earlier call; its seats are free.
    Closed,
    /// Something else ended or kept it: its status.
    Final(Status),
    /// Its time is not up by Postgres' clock.
    NotYet {
        /// How long until it is; 1 or more.
        remaining_ms: i64,
    },
    /// A payment for it has arrived and is not matched yet: match payments, then ask again.
    PaymentWaiting,
    /// The number is another order's: void for whoever asked.
    OtherNonce,
    /// No such order is stored (yet).
    NoRow,
}

impl Store {
    /// Closes those of the orders that are unpaid, past their time and without a waiting payment; then reads, in a fresh statement, what
    /// holds for each. One answer per order asked about, in the order asked.
    pub async fn close_due(
        &self,
        orders: &[(OrderNumber, Nonce)],
    ) -> Result<Vec<Closing>, StoreError> {
        self.close_once(orders).await?;
        let closings = self.closings(orders).await?;
        if !closings.iter().any(Closing::is_due) {
            return Ok(closings);
        }
        // Create may have committed an order, or its time may have come, between the attempt and the look. A second attempt finds it;
        // what that one leaves, another transaction has locked.
        self.close_once(orders).await?;
        self.closings(orders).await
    }

    async fn close_once(&self, orders: &[(OrderNumber, Nonce)]) -> Result<(), StoreError> {
        let numbers: Vec<i64> = orders.iter().map(|(number, _)| number.get()).collect();
        let nonces: Vec<Vec<u8>> = orders
            .iter()
            .map(|(_, nonce)| nonce.bytes().to_vec())
            .collect();
        let mut retry = ConflictRetry::default();
        loop {
            let query = sqlx::query(include_str!("sql/close_due.sql"))
                .bind(&numbers)
                .bind(&nonces);
            let result = query.execute(&self.pool).await.map_err(StoreError::from);
            if !retry.is_due(&result) {
                return result.map(drop);
            }
        }
    }

    /// What holds for each order, in a fresh statement.
    async fn closings(&self, orders: &[(OrderNumber, Nonce)]) -> Result<Vec<Closing>, StoreError> {
        let numbers: Vec<i64> = orders.iter().map(|(number, _)| number.get()).collect();
        let waiting = sqlx::query_scalar(include_str!("sql/payments_waiting.sql")).bind(&numbers);
        let waiting: HashSet<i64> = waiting
            .fetch_one(&self.pool)
            .await
            .map(|found: Vec<i64>| found.into_iter().collect())?;
        let asked: Vec<OrderNumber> = orders.iter().map(|(number, _)| *number).collect();
        let rows = self.orders(&asked).await?;
        let rows: HashMap<OrderNumber, OrderRow> =
            rows.into_iter().map(|row| (row.number, row)).collect();
        let closings = orders.iter().map(|&(number, nonce)| {
            let row = rows.get(&number).cloned();
            let decision = decide(row.as_ref(), nonce, waiting.contains(&number.get()));
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
    /// Whether the order can be closed by what was read of it, although the attempt has not closed it.
    fn is_due(&self) -> bool {
        let due = self
            .row
            .as_ref()
            .and_then(|row| row.remaining_ms)
            .is_some_and(|remaining| remaining <= 0);
        due && matches!(self.decision, CloseDecision::NotYet { .. })
    }
}

/// What a row, read after the attempt to close it, says to whoever holds a reservation of this nonce.
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
        // Its time may have come between the attempt and the look, or another transaction was busy with it: it is closed next time.
        Status::Unpaid => CloseDecision::NotYet {
            remaining_ms: row.remaining_ms.unwrap_or_default().max(1),
        },
        other => CloseDecision::Final(other),
    }
}
