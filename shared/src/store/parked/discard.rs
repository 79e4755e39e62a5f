//! Discards parked records. The row stays, with the operator and the reason.

use super::{ParkedId, ParkedRecord};
use crate::message::UserId;
use crate::store::retry::StaleReadRetry;
use crate::store::{Store, StoreError};

/// Who discarded a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discard {
    /// The operator.
    pub by: UserId,
    /// The operator's reason.
    pub why: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// Result of a discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discarded {
    /// The record is discarded, by this call or an earlier one. The first reason stays.
    Yes(ParkedRecord),
    /// The record was replayed, so there is nothing to discard.
    Replayed(ParkedRecord),
    /// A replay is running.
    Busy(ParkedRecord),
    /// The record does not exist.
    Missing,
}

impl Store {
    /// parked -> discarded.
    pub async fn discard(
        &self,
        id: ParkedId,
        by: &UserId,
        why: &str,
    ) -> Result<Discarded, StoreError> {
        let mut stale = StaleReadRetry::default();
        loop {
            let query = sqlx::query(include_str!("../sql/parked_discard.sql"))
                .bind(id)
                .bind(by)
                .bind(why);
            query.execute(&self.pool).await?;
            let Some(found) = self.parked_record(id, 0, 0).await? else {
                return Ok(Discarded::Missing);
            };
            let record = found.record;
            if record.discarded.is_some() {
                return Ok(Discarded::Yes(record));
            }
            if record.replays > 0 {
                return Ok(Discarded::Replayed(record));
            }
            // The replay has ended since, without publishing the record.
            if !stale.is_due(!record.busy) {
                return Ok(Discarded::Busy(record));
            }
        }
    }
}
