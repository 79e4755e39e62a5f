//! Payments for operators: recorded, to be refunded, refunded.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::columns::{number_column, word_column};
use super::refunds::{RefundDone, RefundFilter, RefundState};
use super::retry::{ConflictRetry, StaleReadRetry};
use super::{Store, StoreError};
use crate::message::{Cents, OrderNumber, UserId, from_digits, number_values, word_value};
use crate::sale::Status;

number_values! {
    /// Identity of a recorded payment, from 1, ascending with time.
    PaymentId(i64), 1.., "payment id", "1 to 9223372036854775807 in decimal digits";
}

from_digits!(
    PaymentId,
    19,
    "payment id",
    "1 to 9223372036854775807 in decimal digits"
);
number_column!(PaymentId, i64);

word_value! {
    /// State of a recorded payment.
    PaymentState, "payment state",
    "applied, unmatched, to_refund, amount_differs or refunded";

    /// It paid its order.
    Applied = "applied",
    /// Its order is not stored (yet).
    Unmatched = "unmatched",
    /// To be refunded: too late, the second for its order, or under a reused reference.
    ToRefund = "to_refund",
    /// To be refunded: its amount differs from the order's.
    AmountDiffers = "amount_differs",
    /// Refunded, by the provider or as an operator has recorded.
    Refunded = "refunded",
}

word_column!(PaymentState);

/// Selects payments that meet all conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentFilter {
    /// In this state.
    pub state: Option<PaymentState>,
    /// For this order.
    pub order: Option<OrderNumber>,
    /// Under this reference.
    pub reference: Option<String>,
}

/// A recorded refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// The operator.
    pub by: UserId,
    /// The operator's note, e.g. the provider's reference of the refund.
    pub note: String,
    /// When it was recorded, milliseconds since 1970.
    pub at_ms: i64,
}

/// A recorded payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRow {
    /// Identity.
    pub id: PaymentId,
    /// The provider's reference. Several payments may share it.
    pub reference: String,
    /// The order it is for.
    pub order: OrderNumber,
    /// The order that the provider reported, if an operator has assigned the payment to another.
    pub reported_order: Option<OrderNumber>,
    /// Amount paid.
    pub amount: Cents,
    /// What of the amount is refunded.
    pub refunded: Cents,
    /// Its state.
    pub state: PaymentState,
    /// An earlier payment has the same reference.
    pub reused: bool,
    /// When it was recorded, milliseconds since 1970.
    pub received_ms: i64,
    /// State and amount of its order, if stored. A fence may have no amount.
    pub for_order: Option<(Status, Option<Cents>)>,
    /// The refund, if it was recorded through this API.
    pub refund: Option<Refund>,
}

/// Result of recording a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refunded {
    /// The payment is refunded, by this call or an earlier one. The first note stays.
    Yes(PaymentRow),
    /// The payment is not due for a refund: it is applied, or its order may still be stored.
    NotDue(PaymentRow),
    /// The refund is handed out to the provider. Its answer decides, or the end of the lease.
    HandedOut(PaymentRow),
    /// There is no such payment.
    Missing,
}

impl Store {
    /// Payments with identities below `before`, newest first.
    pub async fn payments(
        &self,
        filter: &PaymentFilter,
        before: Option<PaymentId>,
        limit: u32,
    ) -> Result<Vec<PaymentRow>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/payments_list.sql"))
            .bind(filter.state)
            .bind(filter.order)
            .bind(filter.reference.as_deref())
            .bind(before.map_or(i64::MAX, PaymentId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// One recorded payment.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<PaymentRow>, StoreError> {
        let query = sqlx::query_as(include_str!("sql/payment_show.sql")).bind(id);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Records that an operator has returned a payment that is to be refunded. Ends its refund, if
    /// there is one, so that it is not handed out (again).
    pub async fn refunded(
        &self,
        id: PaymentId,
        by: &UserId,
        note: &str,
    ) -> Result<Refunded, StoreError> {
        let record = || {
            sqlx::query(include_str!("sql/payment_refunded.sql"))
                .bind(id)
                .bind(by)
                .bind(note)
                .execute(&self.pool)
        };
        let mut conflicts = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            conflicts.run(record).await?;
            let Some(row) = self.payment(id).await? else {
                return Ok(Refunded::Missing);
            };
            if row.state == PaymentState::Refunded {
                return Ok(Refunded::Yes(row));
            }
            let is_due = matches!(
                row.state,
                PaymentState::ToRefund | PaymentState::AmountDiffers
            );
            if is_due && self.end_refund(id, by, note).await? {
                return Ok(Refunded::HandedOut(row));
            }
            // Its order has ended since the UPDATE ran, or its refund is recorded.
            if !stale.is_due(is_due) {
                return Ok(Refunded::NotDue(row));
            }
        }
    }

    /// Records an operator's note with the refund of a payment that pays no order, if it has one.
    /// Returns whether the refund is handed out.
    async fn end_refund(
        &self,
        payment: PaymentId,
        by: &UserId,
        note: &str,
    ) -> Result<bool, StoreError> {
        let filter = RefundFilter {
            payment: Some(payment),
            ..RefundFilter::default()
        };
        let Some(refund) = self.refunds(&filter, None, 1).await?.pop() else {
            return Ok(false);
        };
        let done = self.refund_done_by(refund.id, by, note).await?;
        Ok(done == RefundDone::Unchanged && refund.state == RefundState::HandedOut)
    }
}

impl FromRow<'_, PgRow> for PaymentRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let order_status: Option<Status> = row.try_get("order_status")?;
        let order_amount = row.try_get("order_amount")?;
        let refund = match row.try_get("refunded_ms")? {
            Some(at_ms) => Some(Refund {
                by: row.try_get("refunded_by")?,
                note: row.try_get("refunded_note")?,
                at_ms,
            }),
            None => None,
        };
        Ok(Self {
            id: row.try_get("id")?,
            reference: row.try_get("reference")?,
            order: row.try_get("order_number")?,
            reported_order: row.try_get("reported_order")?,
            amount: row.try_get("amount_cents")?,
            refunded: row.try_get("refunded_cents")?,
            state: row.try_get("status")?,
            reused: row.try_get("reused")?,
            received_ms: row.try_get("received_ms")?,
            for_order: order_status.map(|status| (status, order_amount)),
            refund,
        })
    }
}
