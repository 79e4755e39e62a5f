//! Payments: recorded once per provider reference, applied to their order if it is unpaid, else
//! kept for a refund.
//!
//! A payment is the triple of reference, order and amount. A reference that returns with another
//! order or amount is another payment. It is stored as a row of its own and pays nothing: the
//! provider's intent is unknown, and the money has been received.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, Row};

use super::pool::BoundedConnection;
use super::retry::{StaleReadRetry, retry_conflicts};
use super::{OrderRow, Store, StoreError};
use crate::message::{Cents, OrderNumber};

/// A payment reported by the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The provider's reference: 1 to 128 characters without NUL.
    pub reference: String,
    /// The order it is for.
    pub order: OrderNumber,
    /// Amount paid.
    pub amount: Cents,
}

/// Result of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentResult {
    /// It paid its order.
    Applied,
    /// This payment (reference, order and amount) was recorded before. Nothing changed.
    Duplicate,
    /// The reference belongs to another payment. This one is stored beside it, to be refunded.
    ReferenceReused {
        /// Stored by this call; false if this payment was stored before.
        new: bool,
        /// The order of the first payment with this reference.
        first_order: OrderNumber,
        /// The amount of the first payment with this reference.
        first_amount: Cents,
    },
    /// The order is not stored yet. The payment waits for it.
    Unmatched,
    /// The order is not unpaid. The payment is to be refunded.
    ToRefund,
    /// The amount differs from the order's. The payment is to be refunded.
    AmountDiffers,
}

/// A recorded payment and its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Result of the payment.
    pub result: PaymentResult,
    /// The current order, if it is stored. If the payment is applied, the caller settles the gate
    /// by it.
    pub row: Option<OrderRow>,
}

impl Store {
    /// Records a payment; unpaid -> paid in the same statement if the amount equals the order's and
    /// no other payment waits for it. Idempotent.
    pub async fn pay(&self, payment: &Payment) -> Result<Paid, StoreError> {
        let paid = retry_conflicts(|| self.pay_once(payment)).await?;
        if paid.is_some() {
            return Ok(Paid {
                result: PaymentResult::Applied,
                row: paid,
            });
        }
        let new = retry_conflicts(|| self.record(payment)).await?;
        let found = if new {
            PaymentResult::Unmatched
        } else {
            self.outcome(payment, new).await?
        };
        let mut result = found;
        let mut stale = StaleReadRetry::default();
        loop {
            if result == PaymentResult::Unmatched {
                // The order may have been committed since this payment looked for it, and its
                // transaction may have looked for payments before this one was committed. A fresh
                // statement sees both.
                self.match_payments(&[payment.order]).await?;
                result = self.outcome(payment, new).await?;
            }
            let row = self.order(payment.order).await?;
            // The order was committed after that statement and before the row was read.
            if stale.is_due(result == PaymentResult::Unmatched && row.is_some()) {
                continue;
            }
            // A payment that an interrupted call has recorded, and this one has matched, is no
            // duplicate: the caller settles the gate.
            let unchanged =
                !new && result == found && !matches!(result, PaymentResult::ReferenceReused { .. });
            return Ok(Paid {
                result: if unchanged {
                    PaymentResult::Duplicate
                } else {
                    result
                },
                row,
            });
        }
    }

    /// Pays an unpaid order that no other payment waits for. Else changes nothing.
    async fn pay_once(&self, payment: &Payment) -> Result<Option<OrderRow>, sqlx::Error> {
        sqlx::query_as(include_str!("sql/pay.sql"))
            .bind(&payment.reference)
            .bind(payment.order)
            .bind(payment.amount)
            .fetch_optional(&self.pool)
            .await
    }

    /// Records a payment, unmatched, or to be refunded if its reference belongs to another one.
    /// Returns whether this call inserted the row.
    async fn record(&self, payment: &Payment) -> Result<bool, StoreError> {
        for sql in [
            include_str!("sql/payment_record.sql"),
            include_str!("sql/payment_reused.sql"),
        ] {
            if bind(sql, payment)
                .execute(&self.pool)
                .await?
                .rows_affected()
                > 0
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Reads the result of a recorded payment. `new`: this call inserted its row.
    async fn outcome(&self, payment: &Payment, new: bool) -> Result<PaymentResult, StoreError> {
        let row = bind(include_str!("sql/payment_status.sql"), payment)
            .fetch_one(&self.pool)
            .await?;
        let first_order = row.try_get("first_order")?;
        let first_amount = row.try_get("first_amount")?;
        if (first_order, first_amount) != (payment.order, payment.amount) {
            return Ok(PaymentResult::ReferenceReused {
                new,
                first_order,
                first_amount,
            });
        }
        Ok(match row.try_get::<&str, _>("status")? {
            "applied" => PaymentResult::Applied,
            "unmatched" => PaymentResult::Unmatched,
            "amount_differs" => PaymentResult::AmountDiffers,
            // To be refunded, or refunded.
            _ => PaymentResult::ToRefund,
        })
    }

    /// Matches payments with these orders. Call it after the commit that stored either side: the
    /// two transactions may have missed each other. Returns the orders that became paid.
    pub async fn match_payments(
        &self,
        numbers: &[OrderNumber],
    ) -> Result<Vec<OrderRow>, StoreError> {
        retry_conflicts(|| self.match_once(numbers)).await
    }

    async fn match_once(&self, numbers: &[OrderNumber]) -> Result<Vec<OrderRow>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.pool.acquire().await?;
        let waiting: Vec<OrderNumber> =
            sqlx::query_scalar(include_str!("sql/payments_waiting.sql"))
                .bind(numbers)
                .fetch_one(&mut *connection)
                .await?;
        // Nearly always. A payment that is committed later looks for its order after its commit.
        if waiting.is_empty() {
            return Ok(Vec::new());
        }
        // Each of the two statements is atomic, so no transaction is needed.
        apply(&mut connection, &waiting).await
    }
}

/// Binds reference, order and amount.
fn bind<'q>(sql: &'static str, payment: &'q Payment) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql)
        .bind(&payment.reference)
        .bind(payment.order)
        .bind(payment.amount)
}

/// Pays the orders that can be paid, then marks payments that can never be applied for a refund.
/// Two statements, so that the second sees what others committed while the first waited for locks.
async fn apply(
    connection: &mut BoundedConnection,
    numbers: &[OrderNumber],
) -> Result<Vec<OrderRow>, StoreError> {
    let paid = sqlx::query_as(include_str!("sql/payments_apply.sql"))
        .bind(numbers)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query(include_str!("sql/payments_refund.sql"))
        .bind(numbers)
        .execute(&mut *connection)
        .await?;
    Ok(paid)
}
