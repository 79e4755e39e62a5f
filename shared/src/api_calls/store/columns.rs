//! Calls and sums as arrays, one per column, in the order of the arguments of `sql/calls_add.sql`
//! and `sql/calls_keep.sql`.

use std::collections::BTreeMap;

use crate::api_calls::{Aggregate, ApiCall, Cell, RollUp, counted_at_ms};
use crate::store::columns::column;
use crate::store::pool::BoundedConnection;
use crate::store::{Arrival, StoreError};

/// Adds the sums of all sources.
pub(super) async fn add(
    sums: &BTreeMap<i32, RollUp>,
    connection: &mut BoundedConnection,
) -> Result<(), StoreError> {
    let cells: Vec<(i32, &Cell, &Aggregate)> = sums
        .iter()
        .flat_map(|(source, sums)| sums.cells().map(|(cell, sum)| (*source, cell, sum)))
        .collect();
    let buckets = cells.iter().flat_map(|(.., sum)| sum.buckets);
    sqlx::query(include_str!("sql/calls_add.sql"))
        .bind(column(&cells, |(source, ..)| *source))
        .bind(column(&cells, |(_, cell, _)| cell.minute.start_ms()))
        .bind(column(&cells, |(_, cell, _)| cell.route.as_str()))
        .bind(column(&cells, |(_, cell, _)| cell.status as i16))
        .bind(column(&cells, |(_, cell, _)| cell.client.as_str()))
        .bind(column(&cells, |(.., sum)| sum.calls as i64))
        .bind(column(&cells, |(.., sum)| sum.duration_us as i64))
        .bind(column(&cells, |(.., sum)| sum.max_us as i64))
        .bind(column(buckets, |bucket| bucket as i64))
        .execute(connection)
        .await?;
    Ok(())
}

/// Inserts the calls.
pub(super) async fn keep(
    calls: &[(i32, &Arrival<'_, ApiCall>, &ApiCall)],
    connection: &mut BoundedConnection,
) -> Result<(), StoreError> {
    let of = || calls.iter().map(|(_, _, call)| *call);
    sqlx::query(include_str!("sql/calls_keep.sql"))
        .bind(column(calls, |(source, ..)| *source))
        .bind(column(calls, |(_, arrival, _)| arrival.offset))
        .bind(column(calls, |(_, arrival, call)| {
            counted_at_ms(call, arrival.appended_ms)
        }))
        .bind(column(of(), |call| call.id))
        .bind(column(of(), ApiCall::route_key))
        .bind(column(of(), |call| call.url.as_str()))
        .bind(column(of(), |call| call.status as i16))
        .bind(column(of(), |call| call.duration_us as i64))
        .bind(column(of(), |call| call.client.as_str()))
        .bind(column(of(), |call| call.user.as_ref()))
        .bind(column(of(), |call| call.ip.map(|ip| ip.to_string())))
        .bind(column(of(), |call| call.trace))
        .bind(column(of(), |call| call.instance.as_str()))
        .execute(connection)
        .await?;
    Ok(())
}
