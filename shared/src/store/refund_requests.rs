//! What operators decide about money: refunds of paid orders, and payments assigned to orders.

use super::payment_book::{PaymentId, PaymentRow, PaymentState};
use super::refunds::{RefundId, RefundRow};
use super::retry::{ConflictRetry, StaleReadRetry};
use super::{OrderRow, Store, StoreError};
use crate::message::{Cents, IdempotencyKey, OrderNumber, UserId};
use crate::sale::Status;

/// SQLSTATE of a unique index that refuses a row.
const UNIQUE_VIOLATION: &str = "23505";

/// A refund of a paid order, as an operator requests it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRequest {
    /// The order.
    pub order: OrderNumber,
    /// Amount to return; `None`: what is left of the payment.
    pub amount: Option<Cents>,
    /// A repeated request with this key makes no other refund.
    pub key: IdempotencyKey,
    /// The operator.
    pub by: UserId,
    /// Why.
    pub note: String,
}

/// Result of requesting a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundRequested {
    /// A new refund.
    New(RefundRow),
    /// A request with this key has made this refund before.
    Before(RefundRow),
    /// A request with this key has made this refund, of another amount.
    KeyReused(RefundRow),
    /// The order is not paid.
    NotPaid(OrderRow),
    /// Less than the amount is left of the payment, or nothing.
    TooMuch {
        /// What no refund claims yet.
        left: Cents,
    },
    /// There is no such order.
    Missing,
}

/// Result of assigning a payment to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assigned {
    /// It belongs to the order now, by this call or an earlier one. If it pays the order, the
    /// caller settles the gate by the row.
    Yes {
        /// The payment.
        payment: Box<PaymentRow>,
        /// Its order.
        order: Box<OrderRow>,
    },
    /// It waits for no order: it is applied, or to be refunded.
    NotWaiting(PaymentRow),
    /// The order has a payment of this reference and amount.
    Recorded,
    /// There is no such payment.
    NoPayment,
    /// There is no such order.
    NoOrder,
}

impl Store {
    /// Requests a refund of a paid order. If it leaves nothing of the payment, the order is
    /// `refunding` from then on, and `refunded` once everything is refunded.
    pub async fn request_refund(
        &self,
        request: &RefundRequest,
    ) -> Result<RefundRequested, StoreError> {
        let mut conflicts = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            if let Some(before) = self.requested(request).await? {
                let same = request.amount.is_none_or(|amount| amount == before.amount);
                return Ok(if same {
                    RefundRequested::Before(before)
                } else {
                    RefundRequested::KeyReused(before)
                });
            }
            let left = self.left(request.order).await?;
            let amount = request.amount.or(left);
            let mut requested = None;
            if let Some(amount) = amount {
                let made = conflicts.run(|| self.claim_refund(request, amount)).await;
                // A request with the same key has been faster: the next round finds its refund.
                let faster = made.as_ref().is_err_and(is_unique_violation);
                if faster && stale.is_due(true) {
                    continue;
                }
                requested = made?;
            }
            if let Some(id) = requested {
                let missing = || StoreError::unknown("a new refund cannot be read");
                let row = self.refund(id).await?.ok_or_else(missing)?;
                return Ok(RefundRequested::New(row));
            }
            let Some(order) = self.order(request.order).await? else {
                return Ok(RefundRequested::Missing);
            };
            let left = self.left(request.order).await?.unwrap_or(Cents::ZERO);
            let wanted = request.amount.unwrap_or(left);
            let fits = wanted > Cents::ZERO && wanted <= left;
            // It has been paid since, or what was left has changed.
            if stale.is_due(order.status == Status::Paid && fits) {
                continue;
            }
            return Ok(if order.status == Status::Paid {
                RefundRequested::TooMuch { left }
            } else {
                RefundRequested::NotPaid(order)
            });
        }
    }

    async fn requested(&self, request: &RefundRequest) -> Result<Option<RefundRow>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/refund_requested.sql"))
            .bind(request.order)
            .bind(&request.key)
            .fetch_optional(&self.pool)
            .await?)
    }

    async fn left(&self, order: OrderNumber) -> Result<Option<Cents>, StoreError> {
        Ok(sqlx::query_scalar(include_str!("sql/refund_left.sql"))
            .bind(order)
            .fetch_optional(&self.pool)
            .await?)
    }

    async fn claim_refund(
        &self,
        request: &RefundRequest,
        amount: Cents,
    ) -> Result<Option<RefundId>, sqlx::Error> {
        sqlx::query_scalar(include_str!("sql/refund_order.sql"))
            .bind(request.order)
            .bind(amount)
            .bind(&request.key)
            .bind(&request.by)
            .bind(&request.note)
            .fetch_optional(&self.pool)
            .await
    }

    /// Assigns a payment that waits for its order to another, stored order, and matches it with
    /// that one: it pays the order, or is to be refunded.
    pub async fn assign_payment(
        &self,
        id: PaymentId,
        order: OrderNumber,
        by: &UserId,
    ) -> Result<Assigned, StoreError> {
        let assign = || {
            sqlx::query(include_str!("sql/payment_assign.sql"))
                .bind(id)
                .bind(order)
                .bind(by)
                .execute(&self.pool)
        };
        let mut conflicts = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            match conflicts.run(assign).await {
                Err(error) if is_unique_violation(&error) => return Ok(Assigned::Recorded),
                assigned => assigned?,
            };
            self.match_payments(&[order]).await?;
            let Some(payment) = self.payment(id).await? else {
                return Ok(Assigned::NoPayment);
            };
            let Some(row) = self.order(order).await? else {
                return Ok(Assigned::NoOrder);
            };
            // The order, or the payment, was committed between the statements.
            if stale.is_due(payment.state == PaymentState::Unmatched) {
                continue;
            }
            return Ok(if payment.order == order {
                Assigned::Yes {
                    payment: Box::new(payment),
                    order: Box::new(row),
                }
            } else {
                Assigned::NotWaiting(payment)
            });
        }
    }
}

fn is_unique_violation(error: &StoreError) -> bool {
    error.sqlstate.as_deref() == Some(UNIQUE_VIOLATION)
}
