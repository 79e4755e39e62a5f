//! Payments for operators: recorded, to be refunded, refunded.

use std::str::FromStr;

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::retry::{ConflictRetry, StaleReadRetry};
use super::row::bounded;
use super::{Store, StoreError};
use crate::message::{BadValue, Cents, OrderNumber, UserId};
use crate::sale::Status;

/// Identity of a recorded payment, from 1, ascending with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentId(i64);

impl PaymentId {
    /// `n` of at least 1.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        if n > 0 {
            Ok(Self(n))
        } else {
            Err(BadValue {
                what: "payment id",
                rule: "1 to 9223372036854775807 in decimal digits",
            })
        }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for PaymentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PaymentId {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        let digits = !s.starts_with('0') && s.bytes().all(|b| b.is_ascii_digit());
        Self::new(s.parse().ok().filter(|_| digits).unwrap_or(0))
    }
}

/// State of a recorded payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PaymentState {
    /// It paid its order.
    Applied,
    /// Its order is not stored (yet).
    Unmatched,
    /// To be refunded: too late, the second for its order, or under a reused reference.
    ToRefund,
    /// To be refunded: its amount differs from the order's.
    AmountDiffers,
    /// An operator has recorded the refund.
    Refunded,
}

impl PaymentState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Applied,
        Self::Unmatched,
        Self::ToRefund,
        Self::AmountDiffers,
        Self::Refunded,
    ];

    /// As in Postgres and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unmatched => "unmatched",
            Self::ToRefund => "to_refund",
            Self::AmountDiffers => "amount_differs",
            Self::Refunded => "refunded",
        }
    }
}

impl FromStr for PaymentState {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        const RULE: &str = "applied, unmatched, to_refund, amount_differs or refunded";
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == s)
            .ok_or(BadValue {
                what: "payment state",
                rule: RULE,
            })
    }
}

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
    /// Amount paid.
    pub amount: Cents,
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
        let rows = sqlx::query(include_str!("sql/payments_list.sql"))
            .bind(filter.state.map(PaymentState::as_str))
            .bind(filter.order.map(OrderNumber::get))
            .bind(filter.reference.as_deref())
            .bind(before.map_or(i64::MAX, PaymentId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }

    /// One recorded payment.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<PaymentRow>, StoreError> {
        let query = sqlx::query(include_str!("sql/payment_show.sql")).bind(id.get());
        query
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(read)
            .transpose()
    }

    /// Records the refund of a payment.
    pub async fn refunded(
        &self,
        id: PaymentId,
        by: &UserId,
        note: &str,
    ) -> Result<Refunded, StoreError> {
        let mut retry = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            let query = sqlx::query(include_str!("sql/payment_refunded.sql"))
                .bind(id.get())
                .bind(by.as_str())
                .bind(note);
            let result = query.execute(&self.pool).await.map_err(StoreError::from);
            if retry.is_due(&result) {
                continue;
            }
            result?;
            let Some(row) = self.payment(id).await? else {
                return Ok(Refunded::Missing);
            };
            if row.state == PaymentState::Refunded {
                return Ok(Refunded::Yes(row));
            }
            // Its order has ended since the UPDATE ran.
            if !stale.is_due(matches!(
                row.state,
                PaymentState::ToRefund | PaymentState::AmountDiffers
            )) {
                return Ok(Refunded::NotDue(row));
            }
        }
    }
}

fn read(row: &PgRow) -> Result<PaymentRow, StoreError> {
    let order_status: Option<&str> = row.try_get("order_status")?;
    let order_amount: Option<i64> = row.try_get("order_amount")?;
    let order_amount = bounded(order_amount.map(Cents::new).transpose())?;
    let refunded_ms: Option<i64> = row.try_get("refunded_ms")?;
    let refund = match refunded_ms {
        Some(at_ms) => Some(Refund {
            by: bounded(UserId::new(row.try_get::<&str, _>("refunded_by")?))?,
            note: row.try_get("refunded_note")?,
            at_ms,
        }),
        None => None,
    };
    Ok(PaymentRow {
        id: bounded(PaymentId::new(row.try_get("id")?))?,
        reference: row.try_get("reference")?,
        order: bounded(OrderNumber::new(row.try_get("order_number")?))?,
        amount: bounded(Cents::new(row.try_get("amount_cents")?))?,
        state: bounded(row.try_get::<&str, _>("status")?.parse())?,
        reused: row.try_get("reused")?,
        received_ms: row.try_get("received_ms")?,
        for_order: bounded(order_status.map(str::parse::<Status>).transpose())?
            .map(|status| (status, order_amount)),
        refund,
    })
}
