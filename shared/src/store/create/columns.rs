//! Requests as one array per column, for the statements in `sql/create_*.sql`.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::plan::Request;
use crate::message::{OrderNumber, ProgramId, SeatIndex};
use crate::store::StoreError;
use crate::store::columns::column;
use crate::store::pool::BoundedConnection;

/// Runs `create_orders` or `create_duplicates`: the numbers inserted. `pay_by`: what is to be stored
/// for a promised time.
pub(super) async fn insert(
    sql: &'static str,
    connection: &mut BoundedConnection,
    requests: &[Request<'_>],
    pay_by: impl Fn(i64) -> i64,
) -> Result<Vec<OrderNumber>, StoreError> {
    let orders = || requests.iter().map(|request| request.order);
    let seats: Vec<SeatIndex> = orders().flat_map(|order| order.seats.clone()).collect();
    let mut last_seats = column(orders(), |order| order.seats.len() as i32);
    let mut first_seats = Vec::with_capacity(last_seats.len());
    let mut before = 0;
    for last in &mut last_seats {
        first_seats.push(before + 1);
        before += *last;
        *last = before;
    }
    let query = sqlx::query_scalar(sql)
        .bind(column(orders(), |order| order.order))
        .bind(column(orders(), |order| order.nonce))
        .bind(column(orders(), |order| &order.user))
        .bind(column(orders(), |order| order.program))
        .bind(column(orders(), |order| order.category))
        .bind(first_seats)
        .bind(seats)
        .bind(last_seats)
        .bind(column(orders(), |order| order.unit_price_cents))
        .bind(column(orders(), |order| order.amount_cents))
        .bind(column(orders(), |order| order.idempotency_key.as_ref()))
        .bind(column(orders(), |order| pay_by(order.pay_by_ms)))
        .bind(column(orders(), |order| order.trace.as_deref()))
        .bind(column(orders(), |order| order.idempotency_hash));
    Ok(query.fetch_one(connection).await?)
}

/// A row of `order_seats`.
pub(super) type Seat = (ProgramId, SeatIndex, OrderNumber);

/// The seats of orders.
pub(super) fn seats_of(requests: &[Request<'_>]) -> Vec<Seat> {
    requests
        .iter()
        .flat_map(|Request { order, .. }| {
            let row = |seat: &SeatIndex| (order.program, *seat, order.order);
            order.seats.iter().map(row)
        })
        .collect()
}

/// A statement over seats.
pub(super) fn query(
    sql: &'static str,
    seats: &[Seat],
) -> Query<'static, sqlx::Postgres, PgArguments> {
    sqlx::query(sql)
        .bind(column(seats, |(program, ..)| *program))
        .bind(column(seats, |(_, seat, _)| *seat))
        .bind(column(seats, |(.., order)| *order))
}
