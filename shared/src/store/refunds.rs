//! Refunds: money on its way back, from the request to the provider's answer.
//!
//! ```text
//! to_refund -> handed_out -> refunded
//!     ^            |-> refused -> to_refund (an operator tries again, under another key)
//!     '------------'   the provider's answer is unknown: again, under the same key
//! ```
//!
//! A refund claims a part of its payment (`refund_cents`), so all refunds of a payment together
//! never exceed it. It is handed out under a lease: a worker that dies, or whose commit is lost,
//! leaves it to the next one, which repeats it under the same key.

use std::time::Duration;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::columns::{from_row, number_column, word_column};
use super::payment_book::PaymentId;
use super::retry::retry_conflicts;
use super::{Store, StoreError};
use crate::message::{
    Cents, IdempotencyKey, Nonce, OrderNumber, UserId, from_digits, number_values, word_value,
};
use crate::sale::Status;

number_values! {
    /// Identity of a refund, from 1, ascending with time.
    RefundId(i64), 1.., "refund id", "1 to 9223372036854775807 in decimal digits";
}

from_digits!(
    RefundId,
    19,
    "refund id",
    "1 to 9223372036854775807 in decimal digits"
);
number_column!(RefundId, i64);

word_value! {
    /// State of a refund.
    RefundState, "refund state", "to_refund, handed_out, refunded or refused";

    /// To be handed out, for the first time or again.
    ToRefund = "to_refund",
    /// A worker has it, until its lease ends.
    HandedOut = "handed_out",
    /// The money is with the buyer again.
    Refunded = "refunded",
    /// The provider refused it. An operator decides.
    Refused = "refused",
}

word_column!(RefundState);

/// A refund that a worker hands out to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOut {
    /// Identity.
    pub id: RefundId,
    /// The provider's reference of the payment.
    pub reference: String,
    /// The order that the payment is for.
    pub order: OrderNumber,
    /// Amount to return.
    pub amount: Cents,
    /// The same for every attempt, so that the provider refunds once.
    pub key: String,
    /// Attempts, this one included.
    pub attempts: i32,
}

from_row!(HandedOut {
    id, reference, order = "order_number", amount = "amount_cents", key, attempts,
});

/// Result of recording that money was returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundDone {
    /// Recorded by this call. If it ended its order, the caller settles the gate by that one.
    Recorded(Option<OrderNumber>),
    /// Nothing changed: the lease has ended, or the refund is in another state.
    Unchanged,
}

/// Selects refunds that meet all conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefundFilter {
    /// In this state.
    pub state: Option<RefundState>,
    /// Of payments for this order.
    pub order: Option<OrderNumber>,
    /// Of this payment.
    pub payment: Option<PaymentId>,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundRow {
    /// Identity.
    pub id: RefundId,
    /// The payment that is returned, or a part of it.
    pub payment: PaymentId,
    /// The provider's reference of the payment.
    pub reference: String,
    /// The order that the payment is for.
    pub order: OrderNumber,
    /// State of the order, if it is stored.
    pub order_status: Option<Status>,
    /// Amount to return.
    pub amount: Cents,
    /// Whether it is a refund of a paid order; else of a payment that pays no order.
    pub of_order: bool,
    /// Its state.
    pub state: RefundState,
    /// Times it was handed out; from 0 again after a refusal.
    pub attempts: i32,
    /// The operator who requested it, if any.
    pub requested_by: Option<UserId>,
    /// Key of that request.
    pub request_key: Option<IdempotencyKey>,
    /// The operator's note.
    pub note: Option<String>,
    /// When it was requested, milliseconds since 1970.
    pub created_ms: i64,
    /// When it was refunded or refused, milliseconds since 1970.
    pub ended_ms: Option<i64>,
    /// The operator who recorded that the money was returned; `None` if the provider answered.
    pub ended_by: Option<UserId>,
    /// The provider's reference of the refund, its reason for a refusal, the last failure, or the
    /// operator's note.
    pub answer: Option<String>,
}

from_row!(RefundRow {
    id, payment, reference, order = "order_number", order_status, amount = "amount_cents",
    of_order, state, attempts, requested_by, request_key, note, created_ms, ended_ms, ended_by,
    answer,
});

/// Counts of refunds for monitoring.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefundCounts {
    /// Refunds that are not ended.
    pub waiting: i64,
    /// Age of the oldest of them, milliseconds.
    pub oldest_ms: i64,
    /// Refused refunds.
    pub refused: i64,
}

from_row!(RefundCounts {
    waiting,
    oldest_ms,
    refused
});

impl Store {
    /// Marks payments for a refund whose order was not stored within `age`, at most `limit`,
    /// oldest first. Returns their number.
    pub async fn give_up_unmatched(&self, age: Duration, limit: u32) -> Result<u64, StoreError> {
        let give_up = || {
            sqlx::query(include_str!("sql/refunds_unmatched.sql"))
                .bind(millis(age))
                .bind(i64::from(limit))
                .execute(&self.pool)
        };
        Ok(retry_conflicts(give_up).await?.rows_affected())
    }

    /// Creates a refund for each payment that pays no order and has none, at most `limit`, oldest
    /// first. Returns the number of new refunds.
    pub async fn request_refunds(&self, limit: u32) -> Result<u64, StoreError> {
        let request = || {
            sqlx::query(include_str!("sql/refunds_request.sql"))
                .bind(i64::from(limit))
                .execute(&self.pool)
        };
        Ok(retry_conflicts(request).await?.rows_affected())
    }

    /// Hands out refunds that are due, at most `limit`, longest due first. Until the lease ends no
    /// other call returns them.
    pub async fn hand_out_refunds(
        &self,
        token: Nonce,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<HandedOut>, StoreError> {
        let claim = || {
            sqlx::query_as(include_str!("sql/refunds_claim.sql"))
                .bind(token)
                .bind(millis(lease))
                .bind(i64::from(limit))
                .fetch_all(&self.pool)
        };
        retry_conflicts(claim).await
    }

    /// Records that the provider has returned the money of a refund that was handed out under this
    /// token. `answer`: the provider's reference of the refund.
    pub async fn refund_done(
        &self,
        id: RefundId,
        token: Nonce,
        answer: &str,
    ) -> Result<RefundDone, StoreError> {
        self.done(id, Some(token), None, answer).await
    }

    /// Records that an operator has returned the money. A refund that is handed out is left to its
    /// worker, as long as the lease lasts.
    pub async fn refund_done_by(
        &self,
        id: RefundId,
        by: &UserId,
        note: &str,
    ) -> Result<RefundDone, StoreError> {
        self.done(id, None, Some(by), note).await
    }

    async fn done(
        &self,
        id: RefundId,
        token: Option<Nonce>,
        by: Option<&UserId>,
        answer: &str,
    ) -> Result<RefundDone, StoreError> {
        let done = || {
            sqlx::query(include_str!("sql/refund_done.sql"))
                .bind(id)
                .bind(token)
                .bind(by)
                .bind(answer)
                .fetch_optional(&self.pool)
        };
        let row: Option<PgRow> = retry_conflicts(done).await?;
        Ok(match row {
            None => RefundDone::Unchanged,
            Some(row) => RefundDone::Recorded(row.try_get(0)?),
        })
    }

    /// Records that the provider refuses a refund that was handed out under this token. Returns
    /// whether it was recorded; it is not if the lease has ended and another worker has it.
    pub async fn refund_refused(
        &self,
        id: RefundId,
        token: Nonce,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let refuse = || {
            sqlx::query(include_str!("sql/refund_refused.sql"))
                .bind(id)
                .bind(token)
                .bind(reason)
                .execute(&self.pool)
        };
        Ok(retry_conflicts(refuse).await?.rows_affected() > 0)
    }

    /// Returns a refund whose outcome is unknown, to be handed out again after `delay`.
    pub async fn postpone_refund(
        &self,
        id: RefundId,
        token: Nonce,
        delay: Duration,
        failure: &str,
    ) -> Result<(), StoreError> {
        let postpone = || {
            sqlx::query(include_str!("sql/refund_postponed.sql"))
                .bind(id)
                .bind(token)
                .bind(millis(delay))
                .bind(failure)
                .execute(&self.pool)
        };
        retry_conflicts(postpone).await.map(drop)
    }

    /// Refunds with identities below `before`, newest first.
    pub async fn refunds(
        &self,
        filter: &RefundFilter,
        before: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<RefundRow>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/refunds_list.sql"))
            .bind(filter.state)
            .bind(filter.order)
            .bind(filter.payment)
            .bind(before.map_or(i64::MAX, RefundId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// One refund.
    pub async fn refund(&self, id: RefundId) -> Result<Option<RefundRow>, StoreError> {
        let query = sqlx::query_as(include_str!("sql/refund_show.sql")).bind(id);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Hands a refused refund out again, under another key. Returns whether it was refused.
    pub async fn retry_refund(&self, id: RefundId) -> Result<bool, StoreError> {
        let retry = || {
            sqlx::query(include_str!("sql/refund_retry.sql"))
                .bind(id)
                .execute(&self.pool)
        };
        Ok(retry_conflicts(retry).await?.rows_affected() > 0)
    }

    /// Counts for monitoring.
    pub async fn refund_counts(&self) -> Result<RefundCounts, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/refund_counts.sql"))
            .fetch_one(&self.pool)
            .await?)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
