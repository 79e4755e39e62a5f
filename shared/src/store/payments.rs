//! Payments: recorded once by the provider's reference, applied to the order they find unpaid, else kept to be refunded.

use super::pool::PgConnection;
use super::repeat::Repeat;
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
    /// This reference was recorded before; nothing changed.
    Duplicate,
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
        let mut repeat = Repeat::default();
        let new = loop {
            let result = self.record(payment).await;
            if !repeat.again(&result) {
                break result?;
            }
        };
        let (mut result, order) = self.payment(&payment.reference).await?;
        if result == PaymentResult::Unmatched {
            // The order may have been committed since this payment's transaction looked for it, and its own look may have come before this
            // payment's commit: a fresh statement sees whichever came second.
            self.match_payments(&[order]).await?;
            (result, _) = self.payment(&payment.reference).await?;
        }
        let result = if new { result } else { PaymentResult::Duplicate };
        Ok(Paid { result, row: self.order(order).await? })
    }

    /// Records a payment and lets it meet its order, in one transaction. Whether the reference was new.
    async fn record(&self, payment: &Payment) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let recorded = sqlx::query(include_str!("sql/payment_record.sql"))
            .bind(&payment.reference)
            .bind(payment.order.get())
            .bind(payment.amount.get())
            .execute(&mut *tx)
            .await?;
        let new = recorded.rows_affected() > 0;
        if new {
            apply(&mut tx, &[payment.order.get()]).await?;
        }
        tx.commit().await?;
        Ok(new)
    }

    /// What became of a recorded payment, and the order it is for.
    async fn payment(&self, reference: &str) -> Result<(PaymentResult, OrderNumber), StoreError> {
        let query = sqlx::query_as(include_str!("sql/payment_status.sql")).bind(reference);
        let (status, order): (String, i64) = query.fetch_one(&self.pool).await?;
        let result = match status.as_str() {
            "applied" => PaymentResult::Applied,
            "unmatched" => PaymentResult::Unmatched,
            "amount_differs" => PaymentResult::AmountDiffers,
            // On its way back, or back already.
            _ => PaymentResult::ToRefund,
        };
        Ok((result, bounded(OrderNumber::new(order))?))
    }

    /// Lets orders and payments that were stored at the same moment find each other. To be called after the commit that stored either side.
    /// Returns the orders that became paid by it.
    pub async fn match_payments(&self, numbers: &[OrderNumber]) -> Result<Vec<OrderRow>, StoreError> {
        let numbers: Vec<_> = numbers.iter().map(|number| number.get()).collect();
        let mut repeat = Repeat::default();
        loop {
            let result = self.match_once(&numbers).await;
            if !repeat.again(&result) {
                return result;
            }
        }
    }

    async fn match_once(&self, numbers: &[i64]) -> Result<Vec<OrderRow>, StoreError> {
        // Two statements, each whole by itself: no transaction around them.
        apply(&mut *self.pool.acquire().await?, numbers).await
    }
}

/// Orders that can be paid are; then what waits without hope is marked to go back. Each in a statement of its own, so that the second sees
/// what others committed while the first waited for locks.
async fn apply(connection: &mut PgConnection, numbers: &[i64]) -> Result<Vec<OrderRow>, StoreError> {
    let paid = sqlx::query(include_str!("sql/payments_apply.sql")).bind(numbers).fetch_all(&mut *connection).await?;
    sqlx::query(include_str!("sql/payments_refund.sql")).bind(numbers).execute(&mut *connection).await?;
    OrderRow::read_all(&paid)
}
