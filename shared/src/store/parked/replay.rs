//! Replays parked records in three steps: the store grants the replay, the caller publishes the
//! record, the store records the end. If the process crashes between the last two steps, the record
//! is on its topic but still counts as parked, and may be replayed again. Consumers handle such
//! duplicates, since delivery is at least once.

use std::time::Duration;

use sqlx::Row;

use super::{ParkedId, ParkedRecord};
use crate::message::UserId;
use crate::store::retry::StaleReadRetry;
use crate::store::{Store, StoreError};

/// Whether a replay may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayBegun {
    /// Publish this record, then call [`Store::end_replay`].
    Yes(ToReplay),
    /// Another replay is running, or its process died a moment ago.
    Busy(ParkedRecord),
    /// The record was replayed more or less often than the caller expects.
    Differs(ParkedRecord),
    /// The record is discarded.
    Discarded(ParkedRecord),
    /// The record does not exist.
    Missing,
}

/// A record to replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToReplay {
    /// Identity.
    pub id: ParkedId,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Its topic.
    pub topic: String,
    /// Its key, whole.
    pub key: Option<Vec<u8>>,
    /// Its value, whole.
    pub value: Option<Vec<u8>>,
}

/// How a replay ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayEnd<'a> {
    /// The broker acknowledged the record.
    Published {
        /// Partition of its topic.
        partition: i32,
        /// Offset within it.
        offset: i64,
    },
    /// The broker never received it; the reason.
    Refused(&'a str),
    /// The result is unknown; the reason.
    Unknown(&'a str),
}

impl Store {
    /// Claims the replay of a record for `lease`. `replays` is how often the caller has seen it
    /// replayed, so that a repeated request replays once.
    pub async fn begin_replay(
        &self,
        id: ParkedId,
        replays: u32,
        asked_by: &UserId,
        lease: Duration,
    ) -> Result<ReplayBegun, StoreError> {
        let mut stale = StaleReadRetry::default();
        loop {
            if let Some(begun) = self.begin_replay_once(id, replays, asked_by, lease).await? {
                return Ok(ReplayBegun::Yes(begun));
            }
            let Some(found) = self.parked_record(id, 0, 0).await? else {
                return Ok(ReplayBegun::Missing);
            };
            let record = found.record;
            if record.discarded.is_some() {
                return Ok(ReplayBegun::Discarded(record));
            }
            if record.replays != replays {
                return Ok(ReplayBegun::Differs(record));
            }
            // The replay that blocked this one has ended since.
            if !stale.is_due(!record.busy) {
                return Ok(ReplayBegun::Busy(record));
            }
        }
    }

    async fn begin_replay_once(
        &self,
        id: ParkedId,
        replays: u32,
        asked_by: &UserId,
        lease: Duration,
    ) -> Result<Option<ToReplay>, StoreError> {
        let row = sqlx::query(include_str!("../sql/parked_replay_begin.sql"))
            .bind(id)
            .bind(i32::try_from(replays).unwrap_or(i32::MAX))
            .bind(asked_by)
            .bind(lease.as_millis() as i64)
            .fetch_optional(&self.pool)
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ToReplay {
            id,
            attempt: row.try_get::<i32, _>("attempts")? as u32,
            topic: row.try_get("topic")?,
            key: row.try_get("key")?,
            value: row.try_get("value")?,
        }))
    }

    /// Whether the record parked from this offset may still be stored: order-create has not read
    /// its copy yet, a replay is running, or an attempt ended without an answer less than ten
    /// minutes ago.
    pub async fn is_replay_pending(
        &self,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<bool, StoreError> {
        let query = sqlx::query_scalar(include_str!("../sql/parked_replay_pending.sql"))
            .bind(topic)
            .bind(partition)
            .bind(offset);
        Ok(query.fetch_one(&self.pool).await?)
    }

    /// Records how an attempt ended. Returns whether this call was the first.
    pub async fn end_replay(
        &self,
        replay: &ToReplay,
        end: &ReplayEnd<'_>,
    ) -> Result<bool, StoreError> {
        let (outcome, place, note) = match end {
            ReplayEnd::Published { partition, offset } => {
                ("published", Some((*partition, *offset)), None)
            }
            ReplayEnd::Refused(why) => ("refused", None, Some(*why)),
            ReplayEnd::Unknown(why) => ("unknown", None, Some(*why)),
        };
        let done = sqlx::query(include_str!("../sql/parked_replay_end.sql"))
            .bind(replay.id)
            .bind(replay.attempt as i32)
            .bind(outcome)
            .bind(place.map(|(partition, _)| partition))
            .bind(place.map(|(_, offset)| offset))
            .bind(note)
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
