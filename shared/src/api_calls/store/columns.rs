//! Calls and sums as arrays, one per column, in the order of the arguments of `sql/calls_add.sql`
//! and `sql/calls_keep.sql`.

use std::collections::BTreeMap;

use crate::api_calls::{ApiCall, RollUp, counted_at_ms};
use crate::message::{CallId, TraceId, UserId};
use crate::store::pool::BoundedConnection;
use crate::store::{Arrival, StoreError};

/// Adds the sums of all sources.
pub(super) async fn add(
    sums: &BTreeMap<i32, RollUp>,
    connection: &mut BoundedConnection,
) -> Result<(), StoreError> {
    let mut sources = Vec::new();
    let (mut minutes, mut routes, mut statuses, mut clients) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut calls, mut durations, mut longest, mut buckets) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (source, roll_up) in sums {
        for (cell, one) in roll_up.cells() {
            sources.push(*source);
            minutes.push(cell.minute.start_ms());
            routes.push(cell.route.as_str());
            statuses.push(cell.status as i16);
            clients.push(cell.client.as_str());
            calls.push(one.calls as i64);
            durations.push(one.duration_us as i64);
            longest.push(one.max_us as i64);
            buckets.extend(one.buckets.map(|bucket| bucket as i64));
        }
    }
    sqlx::query(include_str!("sql/calls_add.sql"))
        .bind(sources)
        .bind(minutes)
        .bind(routes)
        .bind(statuses)
        .bind(clients)
        .bind(calls)
        .bind(durations)
        .bind(longest)
        .bind(buckets)
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
        .bind(
            calls
                .iter()
                .map(|(source, _, _)| *source)
                .collect::<Vec<_>>(),
        )
        .bind(
            calls
                .iter()
                .map(|(_, arrival, _)| arrival.offset)
                .collect::<Vec<_>>(),
        )
        .bind(
            calls
                .iter()
                .map(|(_, arrival, call)| counted_at_ms(call, arrival.appended_ms))
                .collect::<Vec<_>>(),
        )
        .bind(
            of().map(|call| call.id)
                .map(CallId::bytes)
                .map(Vec::from)
                .collect::<Vec<_>>(),
        )
        .bind(of().map(ApiCall::route_key).collect::<Vec<_>>())
        .bind(of().map(|call| call.url.as_str()).collect::<Vec<_>>())
        .bind(of().map(|call| call.status as i16).collect::<Vec<_>>())
        .bind(of().map(|call| call.duration_us as i64).collect::<Vec<_>>())
        .bind(of().map(|call| call.client.as_str()).collect::<Vec<_>>())
        .bind(
            of().map(|call| call.user.as_ref().map(UserId::as_str))
                .collect::<Vec<_>>(),
        )
        .bind(
            of().map(|call| call.ip.map(|ip| ip.to_string()))
                .collect::<Vec<_>>(),
        )
        .bind(
            of().map(|call| call.trace.map(TraceId::bytes).map(Vec::from))
                .collect::<Vec<_>>(),
        )
        .bind(of().map(|call| call.instance.as_str()).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}
