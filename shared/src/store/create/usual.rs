//! The usual batch in one statement, without a transaction around it: a part whose records are all
//! orders, none of which has a row, and which begins where the progress stands.

use lambda_batch::ErrorClass;
use sqlx::Row;

use super::columns;
use super::plan::CreatePlan;
use super::{Decision, StoredBatch, StoredOrder, StoredRow, UnsettledBatch};
use crate::sale::stored_pay_by;
use crate::store::columns::column;
use crate::store::{Store, StoreError};

impl Store {
    /// Stores such a part. `None`: it is another one, and nothing is changed. What its records are
    /// is known beforehand; a redelivery, a gap or a topic that was created again shows in the
    /// progress; an order that conflicts with a stored one is refused by a unique index.
    pub(super) async fn store_usual<'a>(
        &self,
        plan: &CreatePlan<'a>,
        min_pay_ms: u64,
    ) -> Result<Option<StoredBatch<'a>>, StoreError> {
        if !plan.has_new_orders_only() {
            return Ok(None);
        }
        let query = sqlx::query(include_str!("../sql/create_new.sql"));
        let found = columns::orders(query, &plan.firsts, |promised_ms| promised_ms)
            .bind(i64::try_from(min_pay_ms).unwrap_or(i64::MAX))
            .bind(column(&plan.seen, |seen| seen.topic))
            .bind(column(&plan.seen, |seen| seen.partition))
            .bind(column(&plan.seen, |seen| seen.first_offset))
            .bind(column(&plan.seen, |seen| seen.next_offset))
            .bind(column(&plan.seen, |seen| seen.appended_ms))
            .fetch_one(&self.pool)
            .await
            .map_err(StoreError::from);
        let row = match found {
            Ok(row) => row,
            // The separate statements find out which order conflicts, or which data is refused.
            Err(error) if error.class == ErrorClass::Data => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(batch) = row.try_get("batch")? else {
            return Ok(None);
        };
        let now_ms = row.try_get("now_ms")?;
        let created = plan.firsts.iter().map(|request| StoredOrder {
            request: request.order,
            decision: Decision::Created,
            row: StoredRow::Requested {
                now_ms,
                pay_by_ms: stored_pay_by(request.order.pay_by_ms, now_ms, min_pay_ms),
            },
        });
        Ok(Some(StoredBatch {
            orders: created.collect(),
            unsettled: vec![UnsettledBatch(batch)],
            ..StoredBatch::default()
        }))
    }
}
