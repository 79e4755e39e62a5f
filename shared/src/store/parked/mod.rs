//! Parked records: listed and shown here, put back on their topic by [`replay`], given up by
//! [`discard`].
//!
//! A row is never deleted. Its state is `parked` (waits for an operator), `replayed` (back on its
//! topic, as a new record at a new offset, which may be parked again) or `discarded`.

mod discard;
mod replay;

use std::fmt;
use std::str::FromStr;

use sqlx::Row;
use sqlx::postgres::PgRow;

pub use discard::{Discard, Discarded};
pub use replay::{ReplayBegun, ReplayEnd, ToReplay};

use super::row::bounded;
use super::{Store, StoreError};
use crate::message::{BadValue, UserId};

/// Identity of a parked record: 1 to 2^63 - 1, ascending with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParkedId(i64);

impl ParkedId {
    /// `n` of at least 1.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        if n > 0 {
            Ok(Self(n))
        } else {
            Err(BadValue {
                what: "identity of a parked record",
                rule: "1 to 9223372036854775807",
            })
        }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ParkedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ParkedId {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        let digits = !s.starts_with('0') && s.bytes().all(|b| b.is_ascii_digit());
        Self::new(s.parse().ok().filter(|_| digits).unwrap_or(0))
    }
}

/// State of a parked record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkedState {
    /// It waits for an operator.
    Parked,
    /// It is back on its topic.
    Replayed,
    /// An operator gave it up.
    Discarded,
}

impl ParkedState {
    /// As in Postgres and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

impl FromStr for ParkedState {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        let all = [Self::Parked, Self::Replayed, Self::Discarded];
        let found = all.into_iter().find(|state| state.as_str() == s);
        found.ok_or(BadValue {
            what: "state of a parked record",
            rule: "parked, replayed or discarded",
        })
    }
}

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
        let rows = sqlx::query(include_str!("../sql/parked_list.sql"))
            .bind(topic)
            .bind(state.map(ParkedState::as_str))
            .bind(before.map_or(i64::MAX, ParkedId::get))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(record).collect()
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
            .bind(id.get())
            .bind(bytes as i32);
        let Some(row) = query.fetch_optional(&self.pool).await? else {
            return Ok(None);
        };
        let query = sqlx::query(include_str!("../sql/parked_history.sql"))
            .bind(id.get())
            .bind(i64::from(attempts));
        let history = query
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(attempt)
            .collect::<Result<_, _>>()?;
        Ok(Some(ParkedDetail {
            record: record(&row)?,
            key: row.try_get("key")?,
            value: row.try_get("value")?,
            history,
        }))
    }
}

fn record(row: &PgRow) -> Result<ParkedRecord, StoreError> {
    let bytes = |column: &str| {
        row.try_get::<Option<i32>, _>(column)
            .map(|n| n.map(|n| n as u64))
    };
    let discarded_ms: Option<i64> = row.try_get("discarded_ms")?;
    let discarded = match discarded_ms {
        Some(at_ms) => Some(Discard {
            by: bounded(UserId::new(row.try_get::<&str, _>("discarded_by")?))?,
            why: row.try_get("discarded_why")?,
            at_ms,
        }),
        None => None,
    };
    Ok(ParkedRecord {
        id: bounded(ParkedId::new(row.try_get("id")?))?,
        topic: row.try_get("topic")?,
        partition: row.try_get("partition")?,
        offset: row.try_get("log_offset")?,
        appended_ms: row.try_get("appended_ms")?,
        key_bytes: bytes("key_bytes")?,
        value_bytes: bytes("value_bytes")?,
        reason: row.try_get("reason")?,
        parked_ms: row.try_get("parked_ms")?,
        state: bounded(row.try_get::<&str, _>("state")?.parse())?,
        replays: row.try_get::<i32, _>("replays")? as u32,
        busy: row.try_get("busy")?,
        discarded,
    })
}

fn attempt(row: &PgRow) -> Result<ReplayAttempt, StoreError> {
    let (partition, offset): (Option<i32>, Option<i64>) =
        (row.try_get("partition")?, row.try_get("log_offset")?);
    Ok(ReplayAttempt {
        attempt: row.try_get::<i32, _>("attempt")? as u32,
        asked_by: row.try_get("asked_by")?,
        began_ms: row.try_get("began_ms")?,
        ended_ms: row.try_get("ended_ms")?,
        outcome: row.try_get("outcome")?,
        place: partition.zip(offset),
        note: row.try_get("note")?,
    })
}
