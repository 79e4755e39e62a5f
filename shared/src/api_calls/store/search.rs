//! Searches calls.

use std::ops::RangeInclusive;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::{Store, StoreError};
use crate::message::{CallId, TraceId};
use crate::store::columns::from_row;
use crate::store::connect::LIMIT;

/// Conditions of a search. All must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFilter {
    /// Begin, milliseconds since 1970, inclusive.
    pub from_ms: i64,
    /// End, milliseconds since 1970, exclusive.
    pub until_ms: i64,
    /// Address of the caller.
    pub ip: Option<std::net::IpAddr>,
    /// Method and route, as [`ApiCall::route_key`](crate::api_calls::ApiCall::route_key) gives it.
    pub route: Option<String>,
    /// A range of urls, by bytes.
    pub url: Option<RangeInclusive<String>>,
    /// HTTP status.
    pub status: Option<RangeInclusive<u16>>,
    /// The caller.
    pub user: Option<String>,
}

/// The position of a call in lists, which are sorted by time, source and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPosition {
    /// Its time, milliseconds since 1970.
    pub at_ms: i64,
    /// Its source.
    pub source: i32,
    /// Its offset.
    pub offset: i64,
}

/// A stored call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRow {
    /// Its position.
    pub position: CallPosition,
    /// Its id.
    pub id: CallId,
    /// Method and route.
    pub route: String,
    /// Path and query.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// Duration, microseconds.
    pub duration_us: u64,
    /// Kind of client.
    pub client: String,
    /// The caller.
    pub user: Option<String>,
    /// Address of the caller.
    pub ip: Option<String>,
    /// Its trace.
    pub trace: Option<TraceId>,
    /// Process that answered.
    pub instance: String,
}

impl Store {
    /// Calls behind `after`, newest first, at most `limit`.
    pub async fn search_calls(
        &self,
        filter: &CallFilter,
        after: Option<CallPosition>,
        limit: u32,
    ) -> Result<Vec<CallRow>, StoreError> {
        let status = filter.status.as_ref();
        Ok(sqlx::query_as(include_str!("sql/calls_search.sql"))
            .bind(filter.from_ms)
            .bind(filter.until_ms)
            .bind(filter.ip.map(|ip| ip.to_string()))
            .bind(filter.route.as_deref())
            .bind(filter.url.as_ref().map(|url| url.start().as_str()))
            .bind(filter.url.as_ref().map(|url| url.end().as_str()))
            .bind(status.map(|range| *range.start() as i16))
            .bind(status.map(|range| *range.end() as i16))
            .bind(filter.user.as_deref())
            .bind(after.map(|position| position.at_ms))
            .bind(after.map(|position| position.source))
            .bind(after.map(|position| position.offset))
            .bind(i64::from(limit))
            .fetch_all(&self.pool.within(LIMIT))
            .await?)
    }
}

from_row!(CallPosition { at_ms, source, offset = "log_offset" });

impl FromRow<'_, PgRow> for CallRow {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        Ok(Self {
            position: CallPosition::from_row(row)?,
            id: row.try_get("id")?,
            route: row.try_get("route")?,
            url: row.try_get("url")?,
            status: row.try_get::<i16, _>("status")? as u16,
            duration_us: row.try_get::<i64, _>("duration_us")? as u64,
            client: row.try_get("client")?,
            user: row.try_get("user_id")?,
            ip: row.try_get("ip")?,
            trace: row.try_get("trace")?,
            instance: row.try_get("instance")?,
        })
    }
}
