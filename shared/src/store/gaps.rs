//! Offsets that a consumer never received.
//!
//! The first record of a batch follows the last one handled, except in two cases: the offsets in
//! between have no record to deliver (deleted, transaction markers), or Postgres has lost its
//! latest transactions while the consumer group kept its position. The latter are orders in Kafka
//! that are never read again. So each such range is a row. An operator replays it by setting the
//! consumer group back; a replay that passes its end closes it.

use std::collections::HashMap;
use std::ops::Range;

use sqlx::Row;

use super::columns::{column, from_row};
use super::pool::BoundedConnection;
use super::{Store, StoreError};
use crate::message::UserId;

/// A range of offsets of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetRange {
    /// The topic's full name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The incarnation of the topic, as in `progress`.
    pub incarnation: i32,
    /// First offset of the range.
    pub from: i64,
    /// First offset behind the range.
    pub until: i64,
}

/// A stored gap: a range that progress passed without a record. Times in ms since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// Identity, ascending with time.
    pub id: i64,
    /// The range.
    pub gap: OffsetRange,
    /// When it was found.
    pub found_ms: i64,
    /// A replay has handled the range below this offset.
    pub replayed_until: i64,
    /// When it was closed; `None` while it is open.
    pub closed_ms: Option<i64>,
    /// The operator who closed it; `None` if a replay did.
    pub closed_by: Option<String>,
    /// `replayed`, or the operator's reason.
    pub closed_why: Option<String>,
}

impl Store {
    /// Gaps with identities below `before`, newest first.
    pub async fn gaps(
        &self,
        open_only: bool,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<GapRow>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/gaps_list.sql"))
            .bind(open_only)
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// Closes a gap without a replay. Returns whether it was open.
    pub async fn close_gap(&self, id: i64, by: &UserId, why: &str) -> Result<bool, StoreError> {
        let query = sqlx::query(include_str!("sql/gaps_close.sql"))
            .bind(id)
            .bind(by.as_str())
            .bind(why);
        Ok(query.execute(&self.pool).await?.rows_affected() > 0)
    }
}

from_row!(GapRow { id, found_ms, replayed_until, closed_ms, closed_by, closed_why; gap });
from_row!(OffsetRange {
    topic, partition, incarnation, from = "from_offset", until = "until_offset",
});

/// Stores gaps, in the transaction that advances over them.
pub(crate) async fn add(
    connection: &mut BoundedConnection,
    gaps: &[OffsetRange],
) -> Result<(), StoreError> {
    write(connection, include_str!("sql/gaps_add.sql"), gaps).await
}

/// Records ranges that were delivered again. A gap that they cover is replayed.
pub(crate) async fn replayed(
    connection: &mut BoundedConnection,
    ranges: &[OffsetRange],
) -> Result<(), StoreError> {
    write(connection, include_str!("sql/gaps_replayed.sql"), ranges).await
}

/// Offsets by topic and partition.
pub(crate) type Missing = HashMap<(String, i32), Vec<Range<i64>>>;

/// The parts of these partitions' open gaps that are not replayed yet, ascending.
pub(crate) async fn missing(
    connection: &mut BoundedConnection,
    of: &[OffsetRange],
) -> Result<Missing, StoreError> {
    let mut missing = Missing::new();
    if of.is_empty() {
        return Ok(missing);
    }
    let rows = sqlx::query(include_str!("sql/gaps_missing.sql"))
        .bind(column(of, |range| range.topic.as_str()))
        .bind(column(of, |range| range.partition))
        .bind(column(of, |range| range.incarnation))
        .fetch_all(connection)
        .await?;
    for row in rows {
        let offsets = row.try_get("replayed_until")?..row.try_get("until_offset")?;
        missing
            .entry((row.try_get("topic")?, row.try_get("partition")?))
            .or_default()
            .push(offsets);
    }
    Ok(missing)
}

async fn write(
    connection: &mut BoundedConnection,
    sql: &'static str,
    ranges: &[OffsetRange],
) -> Result<(), StoreError> {
    if ranges.is_empty() {
        return Ok(());
    }
    sqlx::query(sql)
        .bind(column(ranges, |range| range.topic.as_str()))
        .bind(column(ranges, |range| range.partition))
        .bind(column(ranges, |range| range.incarnation))
        .bind(column(ranges, |range| range.from))
        .bind(column(ranges, |range| range.until))
        .execute(connection)
        .await?;
    Ok(())
}
