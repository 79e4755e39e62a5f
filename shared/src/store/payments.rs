//! Payments: recorded once by the provider's reference, applied to the order they find unpaid, else kept to be refunded.
//!
//! A payment is its reference, its order and its amount. A reference that comes back with another order or amount is another payment:
//! it is kept as a row of its own and pays nothing, since what the provider means by it is unknown and the money is there.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, Row};

use super::pool::BoundedConnection;
use super::retry::{ConflictRetry, StaleReadRetry};
use super::row::bounded;
use super::{OrderRow, Store, StoreError};
use crate::message::{Cents, OrderNumber};

/// A payment the provider tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// The provider's reference: 1 to 128 characters without NUL; its identity.
    pub reference: String,
    /// The order it is for.
    pub order: OrderNumber,
    /// What was paid.
    pub amount: Cents,
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentResult {
    /// It made its order paid.
    Applied,
    /// This payment (reference, order and amount) was recorded before; nothing changed.
    Duplicate,
    /// The reference was another payment's: kept beside that one, and the money goes back.
    ReferenceReused {
        /// Kept by this call. Else the very same payment was recorded before.
        new: bool,
        /// The order that the reference stands for.
        first_order: OrderNumber,
        /// The amount that the reference stands for.
        first_amount: Cents,
    },
    /// There is no such order yet; kept until there is.
    Unmatched,
    /// The order was no longer unpaid: the money goes back.
    ToRefund,
    /// The amount is not the order's: the money goes back.
    AmountDiffers,
}

/// A recorded payment and its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// What became of it.
    pub result: PaymentResult,
    /// The order as it is now, if there is one: to be settled, whatever the result.
    pub row: Option<OrderRow>,
}

impl Store {
    /// Records a payment; unpaid -> paid in the same transaction if the amount is the order's. Repeating it is harmless.
    pub async fn pay(&self, payment: &Payment) -> Result<Paid, StoreError> {
        let mut retry = ConflictRetry::default();
        let new = loop {
            let result = self.record(payment).await;
            if !retry.is_due(&result) {
                break result?;
            }
        };
        let mut stale = StaleReadRetry::default();
        loop {
            let mut result = self.outcome(payment, new).await?;
            if result == PaymentResult::Unmatched {
                // The order may have been committed since this payment's transaction looked for it, and its own look may have come before
                // this payment's commit: a fresh statement sees whichever came second.
                self.match_payments(&[payment.order]).await?;
                result = self.outcome(payment, new).await?;
            }
            let row = self.order(payment.order).await?;
            // The order was committed after that statement, and before the row was read.
            if stale.is_due(result == PaymentResult::Unmatched && row.is_some()) {
                continue;
            }
            let known = !new && !matches!(result, PaymentResult::ReferenceReused { .. });
            return Ok(Paid {
                result: if known {
                    PaymentResult::Duplicate
                } else {
                    result
                },
                row,
            });
        }
    }

    /// Records a payment and lets it meet its order, in one transaction. Whether this call made its row.
    async fn record(&self, payment: &Payment) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let first = bind(include_str!("sql/payment_record.sql"), payment)
            .execute(&mut *tx)
            .await?;
        let new = if first.rows_affected() > 0 {
            apply(&mut tx, &[payment.order.get()]).await?;
            true
        } else {
            bind(include_str!("sql/payment_reused.sql"), payment)
                .execute(&mut *tx)
                .await?
                .rows_affected()
                > 0
        };
        tx.commit().await?;
        Ok(new)
    }

    /// What became of a recorded payment. `new`: its row was made by this call.
    async fn outcome(&self, payment: &Payment, new: bool) -> Result<PaymentResult, StoreError> {
        let row = bind(include_str!("sql/payment_status.sql"), payment)
            .fetch_one(&self.pool)
            .await?;
        let first_order = bounded(OrderNumber::new(row.try_get("first_order")?))?;
        let first_amount = bounded(Cents::new(row.try_get("first_amount")?))?;
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
            // To be refunded, or refunded already.
            _ => PaymentResult::ToRefund,
        })
    }

    /// Lets orders and payments that were stored at the same moment find each other. To be called after the commit that stored either side.
    /// Returns the orders that became paid by it.
    pub async fn match_payments(
        &self,
        numbers: &[OrderNumber],
    ) -> Result<Vec<OrderRow>, StoreError> {
        let numbers: Vec<_> = numbers.iter().map(|number| number.get()).collect();
        let mut retry = ConflictRetry::default();
        loop {
            let result = self.match_once(&numbers).await;
            if !retry.is_due(&result) {
                return result;
            }
        }
    }

    async fn match_once(&self, numbers: &[i64]) -> Result<Vec<OrderRow>, StoreError> {
        // Two statements, each whole by itself: no transaction around them.
        apply(&mut *self.pool.acquire().await?, numbers).await
    }
}

/// A statement whose arguments are reference, order and amount.
fn bind<'q>(sql: &'static str, payment: &'q Payment) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql)
        .bind(&payment.reference)
        .bind(payment.order.get())
        .bind(payment.amount.get())
}

/// Orders that can be paid are; then what waits without hope is marked to go back. Each in a statement of its own, so that the second sees
/// what others committed while the first waited for locks.
async fn apply(
    connection: &mut BoundedConnection,
    numbers: &[i64],
) -> Result<Vec<OrderRow>, StoreError> {
    let paid = sqlx::query(include_str!("sql/payments_apply.sql"))
        .bind(numbers)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query(include_str!("sql/payments_refund.sql"))
        .bind(numbers)
        .execute(&mut *connection)
        .await?;
    OrderRow::read_all(&paid)
}
