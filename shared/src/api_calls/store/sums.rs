//! Reads sums of calls.

use std::ops::RangeInclusive;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

use super::{Store, StoreError};
use crate::api_calls::{Aggregate, BUCKETS, Minute};
use crate::store::connect::LIMIT;

/// Conditions of the calls to add up. All must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumFilter {
    /// First minute.
    pub from: Minute,
    /// The minute behind the last one.
    pub until: Minute,
    /// Method and route.
    pub route: Option<String>,
    /// HTTP status.
    pub status: Option<RangeInclusive<u16>>,
    /// Kind of client.
    pub client: Option<String>,
}

/// The columns by which sums are grouped.
#[expect(clippy::struct_excessive_bools, reason = "four independent switches")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupBy {
    /// By minute.
    pub minute: bool,
    /// By route.
    pub route: bool,
    /// By status.
    pub status: bool,
    /// By client.
    pub client: bool,
}

/// The sums of a group. Columns that are not grouped by are `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSums {
    /// The minute.
    pub minute: Option<Minute>,
    /// Method and route.
    pub route: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Kind of client.
    pub client: Option<String>,
    /// The sums.
    pub sums: Aggregate,
}

impl Store {
    /// The sums of each group, ascending; at most `limit` groups.
    pub async fn sum_calls(
        &self,
        filter: &SumFilter,
        by: GroupBy,
        limit: u32,
    ) -> Result<Vec<GroupSums>, StoreError> {
        let status = filter.status.as_ref();
        Ok(sqlx::query_as(include_str!("sql/minutes_sum.sql"))
            .bind(filter.from.start_ms())
            .bind(filter.until.start_ms())
            .bind(filter.route.as_deref())
            .bind(status.map(|range| *range.start() as i16))
            .bind(status.map(|range| *range.end() as i16))
            .bind(filter.client.as_deref())
            .bind(by.minute)
            .bind(by.route)
            .bind(by.status)
            .bind(by.client)
            .bind(i64::from(limit))
            .fetch_all(&self.pool.within(LIMIT))
            .await?)
    }
}

impl FromRow<'_, PgRow> for GroupSums {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let number = |name| row.try_get::<i64, _>(name).map(|number| number as u64);
        let minute_ms: Option<i64> = row.try_get("minute_ms")?;
        let status: Option<i16> = row.try_get("status")?;
        let buckets: [i64; BUCKETS] = row.try_get("buckets")?;
        Ok(Self {
            minute: minute_ms.map(Minute::of_ms),
            route: row.try_get("route")?,
            status: status.map(|status| status as u16),
            client: row.try_get("client")?,
            sums: Aggregate {
                calls: number("calls")?,
                duration_us: number("duration_us")?,
                max_us: number("max_us")?,
                buckets: buckets.map(|bucket| bucket as u64),
            },
        })
    }
}
