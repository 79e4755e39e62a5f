//! Statements of the timeout-closer's sweep: what a crash or a lost gate left.

use super::columns::column;
use super::retry::retry_conflicts;
use super::{OrderRow, Store, StoreError, UnsettledBatch};
use crate::message::{OrderNumber, ProgramId, SeatIndex};
use crate::protection::statement;

/// Until then the function that committed a batch settles it. Adopting a batch too early only
/// costs work.
const ADOPT_AFTER_MS: i64 = 10_000;
/// Maximum batches adopted by one call.
const MAX_ADOPTED: i64 = 20;

impl Store {
    /// Closes at most `limit` overdue unpaid orders without a waiting payment, whatever the gate
    /// holds. Skips rows locked by other transactions. Returns the closed rows.
    pub async fn sweep_overdue(&self, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
        let query = sqlx::query_as(include_str!("sql/sweep_overdue.sql")).bind(i64::from(limit));
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// At most `limit` dirty orders with numbers above `after`, ascending. The caller settles the
    /// gate by them, then calls [`Store::settled`]. Batches that were left unsettled for ten
    /// seconds become dirty first.
    pub async fn dirty(
        &self,
        after: Option<OrderNumber>,
        limit: u32,
    ) -> Result<Vec<OrderRow>, StoreError> {
        let adopt = || {
            sqlx::query(include_str!("sql/unsettled_adopt.sql"))
                .bind(ADOPT_AFTER_MS)
                .bind(MAX_ADOPTED)
                .execute(&self.pool)
        };
        retry_conflicts(adopt).await?;
        let after = after.map_or(0, OrderNumber::get);
        let query = sqlx::query_as(statement(
            "orders_dirty",
            include_str!("sql/orders_dirty.sql"),
        ))
        .bind(after)
        .bind(i64::from(limit));
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// Records that the gate is settled by these versions: clears the dirty flags of orders that
    /// still have them, and ends the batches unless one of the orders has changed. Returns the rows
    /// of those that have.
    pub async fn settled(
        &self,
        versions: &[(OrderNumber, i64)],
        batches: &[UnsettledBatch],
    ) -> Result<Vec<OrderRow>, StoreError> {
        let numbers = column(versions, |(number, _)| *number);
        let versions = column(versions, |(_, version)| *version);
        let batches = column(batches, |batch| batch.0);
        let settled = || {
            sqlx::query_as(statement("settled", include_str!("sql/settled.sql")))
                .bind(&numbers)
                .bind(&versions)
                .bind(&batches)
                .fetch_all(&self.pool)
        };
        retry_conflicts(settled).await
    }

    /// Ends a batch: the gate is settled by all its orders except `failed`, which become dirty.
    pub async fn clear_batch(
        &self,
        batch: UnsettledBatch,
        failed: &[OrderNumber],
    ) -> Result<(), StoreError> {
        let clear = || {
            sqlx::query(include_str!("sql/unsettled_clear.sql"))
                .bind(batch.0)
                .bind(failed)
                .execute(&self.pool)
        };
        retry_conflicts(clear).await.map(drop)
    }

    /// The orders that hold seats of a program from `first` to `last`.
    pub async fn holders(
        &self,
        program: ProgramId,
        first: SeatIndex,
        last: SeatIndex,
    ) -> Result<Vec<OrderNumber>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/seats_held.sql"))
            .bind(program)
            .bind(first)
            .bind(last);
        Ok(query.fetch_one(&self.pool).await?)
    }

    /// The position of a round, as [`Store::note_sweep_position`] stored it; `None` before the
    /// first.
    pub async fn sweep_position(&self, round: &str) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/sweep_position.sql")).bind(round);
        Ok(query.fetch_optional(&self.pool).await?)
    }

    /// Stores the position of a round, for the next process that sweeps.
    pub async fn note_sweep_position(&self, round: &str, position: &str) -> Result<(), StoreError> {
        sqlx::query(include_str!("sql/sweep_position_note.sql"))
            .bind(round)
            .bind(position)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Matches at most `limit` waiting payments, oldest first, with orders that are stored by now.
    /// Returns the orders that became paid.
    pub async fn sweep_payments(&self, limit: u32) -> Result<Vec<OrderRow>, StoreError> {
        let query =
            sqlx::query_scalar(include_str!("sql/payments_matchable.sql")).bind(i64::from(limit));
        let numbers: Vec<OrderNumber> = query.fetch_one(&self.pool).await?;
        self.match_payments(&numbers).await
    }
}
