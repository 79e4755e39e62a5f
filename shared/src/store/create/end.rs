//! Ends a stored batch after the gate was settled by it.

use super::UnsettledBatch;
use crate::message::OrderNumber;
use crate::protection::statement;
use crate::store::columns::column;
use crate::store::retry::retry_conflicts;
use crate::store::{Store, StoreError};

impl Store {
    /// Ends batches by whose orders the gate is settled, each by the given version of its row.
    ///
    /// Returns the orders that need more: they have a newer version, or a payment waits for them.
    /// If there are any, no batch is ended. Call it after the settling: a change that this
    /// statement does not see is settled by its own transaction's process, and so after it.
    pub async fn end_batches(
        &self,
        batches: &[UnsettledBatch],
        settled: &[(OrderNumber, i64)],
    ) -> Result<Vec<OrderNumber>, StoreError> {
        let batches = column(batches, |batch| batch.0);
        let numbers = column(settled, |(number, _)| *number);
        let versions = column(settled, |(_, version)| *version);
        let end = || {
            sqlx::query_scalar(statement(
                "create_end",
                include_str!("../sql/create_end.sql"),
            ))
            .bind(&batches)
            .bind(&numbers)
            .bind(&versions)
            .fetch_one(&self.pool)
        };
        retry_conflicts(end).await
    }
}
