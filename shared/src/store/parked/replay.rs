//! A parked record goes back to its topic, in three steps: the right to do it is taken here, the caller publishes, the end is noted
//! here. Between the last two a crash can come: then the record is on its topic and nobody knows. It counts as parked still, and may
//! be replayed once more: at least once, as every consumer of a topic must bear anyway.

use std::time::Duration;

use sqlx::Row;

use super::{ParkedId, ParkedRecord};
use crate::message::UserId;
use crate::store::retry::StaleReadRetry;
use crate::store::{Store, StoreError};

/// Whether a replay may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayBegun {
    /// It may: publish this, then note the end.
    Yes(ToReplay),
    /// Somebody else is at it, or was until a moment ago and died.
    Busy(ParkedRecord),
    /// It was put back more (or less) often than the caller knows.
    Differs(ParkedRecord),
    /// It was given up.
    Discarded(ParkedRecord),
    /// There is no such record.
    Missing,
}

/// A record to be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToReplay {
    /// Which.
    pub id: ParkedId,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Where it belongs.
    pub topic: String,
    /// Its key, whole.
    pub key: Option<Vec<u8>>,
    /// Its value, whole.
    pub value: Option<Vec<u8>>,
}

/// How a replay has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayEnd<'a> {
    /// The brokers have it.
    Published {
        /// Partition of its topic.
        partition: i32,
        /// Offset within it.
        offset: i64,
    },
    /// They never got it; why.
    Refused(&'a str),
    /// Nobody knows; why.
    Unknown(&'a str),
}

impl Store {
    /// Takes the right to put a record back, for `lease`. `replays`: how often it was put back, as far as the caller knows; so a
    /// request that comes twice is carried out once.
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
            // What was in the way has ended since.
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
            .bind(id.get())
            .bind(i32::try_from(replays).unwrap_or(i32::MAX))
            .bind(asked_by.as_str())
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

    /// Whether the record parked from this place may still be stored: it was put back, and create has not read the copy yet; or it is
    /// being put back; or an attempt ended without an answer less than ten minutes ago.
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

    /// Notes how an attempt has ended. Answers whether this call was the first to do so.
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
            .bind(replay.id.get())
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
