//! Reads orders, the progress of order-create, and backlogs.

use sqlx::{FromRow, Row};

use super::columns::{column, from_row};
use super::{KeyedOrder, OrderRow, Store, StoreError};
use crate::message::{OrderNumber, ProgramId, SeatIndex, UserId};
use crate::protection::statement;

/// Progress of order-create in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The partition.
    pub partition: i32,
    /// Raised each time the topic is found to be created again. From 1.
    pub incarnation: i32,
    /// First offset that is not handled.
    pub next_offset: i64,
    /// Greatest log-append time handled, ms since 1970.
    pub appended_ms: Option<i64>,
}

/// A page of the orders that hold seats of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LiveOrders {
    /// Each order once, at its first seat. May be empty before the last page: a page may consist of
    /// later seats of one order.
    pub orders: Vec<OrderRow>,
    /// The orders among them that have a client's key.
    pub named: Vec<KeyedOrder>,
    /// The next page begins after this seat; `None` after the last page.
    pub next: Option<SeatIndex>,
}

/// Counts for monitoring: each is an invariant or a backlog.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct BacklogCounts {
    /// Unpaid orders past their time to pay.
    pub overdue: i64,
    /// Orders whose last change the gate may lack, orders of unsettled batches included.
    pub dirty: i64,
    /// Payments waiting for an order.
    pub unmatched_payments: i64,
    /// Age of the oldest of them, milliseconds.
    pub oldest_unmatched_ms: i64,
    /// Payments that have waited longer than any program's pay window: their order will not come by
    /// itself.
    pub unmatched_too_long: i64,
    /// Payments to refund.
    pub to_refund: i64,
    /// Parked records.
    pub parked: i64,
}

from_row!(Progress {
    partition,
    incarnation,
    next_offset,
    appended_ms
});
from_row!(BacklogCounts {
    overdue,
    dirty,
    unmatched_payments,
    oldest_unmatched_ms,
    unmatched_too_long,
    to_refund,
    parked,
});

impl Store {
    /// One order.
    pub async fn order(&self, number: OrderNumber) -> Result<Option<OrderRow>, StoreError> {
        Ok(self.orders(&[number]).await?.pop())
    }

    /// Orders, ascending by number. Those that are not stored are left out.
    pub async fn orders(&self, numbers: &[OrderNumber]) -> Result<Vec<OrderRow>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/orders_by_number.sql"))
            .bind(numbers)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Those of the orders by whose last change the gate is not settled: they are dirty, or listed by
    /// a batch. Changes nothing.
    pub async fn unsettled_among(
        &self,
        numbers: &[OrderNumber],
    ) -> Result<Vec<OrderNumber>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/orders_unsettled.sql")).bind(numbers);
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// The current rows of those orders whose version is above the given one, ascending by number.
    pub async fn newer_orders(
        &self,
        known: &[(OrderNumber, i64)],
    ) -> Result<Vec<OrderRow>, StoreError> {
        if known.is_empty() {
            return Ok(Vec::new());
        }
        Ok(sqlx::query_as(statement(
            "orders_newer",
            include_str!("sql/orders_newer.sql"),
        ))
        .bind(column(known, |(number, _)| *number))
        .bind(column(known, |(_, version)| *version))
        .fetch_all(&self.pool)
        .await?)
    }

    /// A buyer's orders with numbers below `before`, newest first.
    pub async fn orders_of(
        &self,
        user: &UserId,
        before: Option<OrderNumber>,
        limit: u32,
    ) -> Result<Vec<OrderRow>, StoreError> {
        let before = before.map_or(i64::MAX, OrderNumber::get);
        Ok(sqlx::query_as(include_str!("sql/orders_of_user.sql"))
            .bind(user)
            .bind(before)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// The orders that hold seats of a program, for at most `seats` taken seats above `after`.
    pub async fn live_orders(
        &self,
        program: ProgramId,
        after: Option<SeatIndex>,
        seats: u32,
    ) -> Result<LiveOrders, StoreError> {
        let after = after.map_or(-1, |seat| seat.get() as i32);
        let query = sqlx::query(include_str!("sql/orders_live.sql"))
            .bind(program)
            .bind(after)
            .bind(i64::from(seats));
        let rows = query.fetch_all(&self.pool).await?;
        let mut orders = Vec::with_capacity(rows.len());
        let mut named = Vec::new();
        for row in &rows {
            if row.try_get::<Option<i64>, _>("number")?.is_none() {
                continue;
            }
            let order = OrderRow::from_row(row)?;
            if order.idempotency_key.is_some() {
                named.push(KeyedOrder::from_row(row)?);
            }
            orders.push(order);
        }
        let full = rows.last().filter(|_| rows.len() == seats as usize);
        let next = full.map(|row| row.try_get("seat")).transpose()?;
        Ok(LiveOrders {
            orders,
            named,
            next,
        })
    }

    /// Progress of order-create, ascending by partition. A partition that was never read has no
    /// entry.
    pub async fn progress(&self, topic: &str) -> Result<Vec<Progress>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/progress.sql"))
            .bind(topic)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Counts for monitoring.
    pub async fn counts(&self) -> Result<BacklogCounts, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/counts.sql"))
            .fetch_one(&self.pool)
            .await?)
    }
}
