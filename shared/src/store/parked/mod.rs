//! Parked records: listed and shown here, put back on their topic by [`replay`], given up by
//! [`discard`].
//!
//! A row is never deleted. Its state is `parked` (waits for an operator), `replayed` (back on its
//! topic, as a new record at a new offset, which may be parked again) or `discarded`.

mod discard;
mod replay;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

pub use discard::{Discard, Discarded};
pub use replay::{ReplayBegun, ReplayEnd, ToReplay};

use super::columns::{number_column, word_column};
use super::{Store, StoreError};
use crate::message::{from_digits, number_values, word_value};

number_values! {
    /// Identity of a parked record: 1 to 2^63 - 1, ascending with time.
    ParkedId(i64), 1.., "identity of a parked record", "1 to 9223372036854775807";
}

from_digits!(
    ParkedId,
    19,
    "identity of a parked record",
    "1 to 9223372036854775807"
);
number_column!(ParkedId, i64);

word_value! {
    /// State of a parked record.
    ParkedState, "state of a parked record", "parked, replayed or discarded";

    /// It waits for an operator.
    Parked = "parked",
    /// It is back on its topic.
    Replayed = "replayed",
    /// An operator gave it up.
    Discarded = "discarded",
}

word_column!(ParkedState);

/// A parked record without its bytes. Times in ms since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRecord {
    /// Its identity.
    pub id: ParkedId,
    /// Its topic,
    pub topic: String,
    /// partition
    pub partition: i32,
    /// and offset.
    pub offset: i64,
    /// When the broker appended it, if it said.
    pub appended_ms: Option<i64>,
    /// Length of the key, bytes; `None` without a key.
    pub key_bytes: Option<u64>,
    /// Length of the value, bytes; `None` without a value.
    pub value_bytes: Option<u64>,
    /// Why it was parked.
    pub reason: String,
    /// When it was parked.
    pub parked_ms: i64,
    /// State.
    pub state: ParkedState,
    /// How often it was replayed.
    pub replays: u32,
    /// Whether a replay is under way.
    pub busy: bool,
    /// The operator who discarded it, and why.
    pub discarded: Option<Discard>,
}

/// A parked record with the first bytes of key and value, and its replay attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedDetail {
    /// The record.
    pub record: ParkedRecord,
    /// Its key, truncated to the requested length.
    pub key: Option<Vec<u8>>,
    /// Its value, truncated likewise.
    pub value: Option<Vec<u8>>,
    /// Replay attempts, latest first.
    pub history: Vec<ReplayAttempt>,
}

/// One replay attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayAttempt {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The operator who requested it.
    pub asked_by: String,
    /// When it began.
    pub began_ms: i64,
    /// When it ended; `None` while it runs, or if its process died.
    pub ended_ms: Option<i64>,
    /// `begun`, `published`, `refused` or `unknown`.
    pub outcome: String,
    /// Partition and offset of the published copy.
    pub place: Option<(i32, i64)>,
    /// Reason of a failure.
    pub note: Option<String>,
}

impl Store {
    /// Parked records with identities below `before`, newest first, optionally of one topic or
    /// state.
    pub async fn parked(
        &self,
        topic: Option<&str>,
        state: Option<ParkedState>,
        before: Option<ParkedId>,
        limit: u32,
    ) -> Result<Vec<ParkedRecord>, StoreError> {
        Ok(sqlx::query_as(include_str!("../sql/parked_list.sql"))
            .bind(topic)
            .bind(state)
            .bind(before.map_or(i64::MAX, ParkedId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// One parked record with at most `bytes` of key and value each, and at most `attempts` of its
    /// history.
    pub async fn parked_record(
        &self,
        id: ParkedId,
        bytes: u32,
        attempts: u32,
    ) -> Result<Option<ParkedDetail>, StoreError> {
        let query = sqlx::query(include_str!("../sql/parked_show.sql"))
            .bind(id)
            .bind(bytes as i32);
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let history = sqlx::query_as(include_str!("../sql/parked_history.sql"))
            .bind(id)
            .bind(i64::from(attempts));
        Ok(Some(ParkedDetail {
            record: ParkedRecord::from_row(&row)?,
            key: row.try_get("key")?,
            value: row.try_get("value")?,
            history: history.fetch_all(&self.pool).await?,
        }))
    }
}

impl FromRow<'_, PgRow> for ParkedRecord {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let bytes = |column| {
            let bytes: sqlx::Result<Option<i32>> = row.try_get(column);
            bytes.map(|bytes| bytes.map(|n| n as u64))
        };
        let discarded = match row.try_get("discarded_ms")? {
            Some(at_ms) => Some(Discard {
                by: row.try_get("discarded_by")?,
                why: row.try_get("discarded_why")?,
                at_ms,
            }),
            None => None,
        };
        Ok(Self {
            id: row.try_get("id")?,
            topic: row.try_get("topic")?,
            partition: row.try_get("partition")?,
            offset: row.try_get("log_offset")?,
            appended_ms: row.try_get("appended_ms")?,
            key_bytes: bytes("key_bytes")?,
            value_bytes: bytes("value_bytes")?,
            reason: row.try_get("reason")?,
            parked_ms: row.try_get("parked_ms")?,
            state: row.try_get("state")?,
            replays: row.try_get::<i32, _>("replays")? as u32,
            busy: row.try_get("busy")?,
            discarded,
        })
    }
}

impl FromRow<'_, PgRow> for ReplayAttempt {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let partition: Option<i32> = row.try_get("partition")?;
        Ok(Self {
            attempt: row.try_get::<i32, _>("attempt")? as u32,
            asked_by: row.try_get("asked_by")?,
            began_ms: row.try_get("began_ms")?,
            ended_ms: row.try_get("ended_ms")?,
            outcome: row.try_get("outcome")?,
            place: partition.zip(row.try_get("log_offset")?),
            note: row.try_get("note")?,
        })
    }
}
