//! A parked record is given up: who did so and why is kept, and so is the record.

use super::{ParkedId, ParkedRecord};
use crate::message::UserId;
use crate::store::retry::StaleReadRetry;
use crate::store::{Store, StoreError};

/// Who gave a record up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discard {
    /// Who.
    pub by: UserId,
    /// Why, in their words.
    pub why: String,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
}

/// What became of a discard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Discarded {
    /// The record is discarded: by this call, or by an earlier one whose words stay.
    Yes(ParkedRecord),
    /// It is back on its topic: there is nothing left to give up.
    Replayed(ParkedRecord),
    /// A replay is under way.
    Busy(ParkedRecord),
    /// There is no such record.
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
                .bind(id.get())
                .bind(by.as_str())
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
            // The replay that was under way has ended since, without a record on the topic.
            if !stale.is_due(!record.busy) {
                return Ok(Discarded::Busy(record));
            }
        }
    }
}
