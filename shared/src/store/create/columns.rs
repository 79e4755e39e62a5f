//! Requests as one array per column, for the statements in `sql/create_*.sql`.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres, Row};

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
    let inserted = orders(sqlx::query(sql), requests, pay_by)
        .fetch_one(connection)
        .await?;
    Ok(inserted.try_get(0)?)
}

/// Binds $1 to $14 of a statement over orders.
pub(super) fn orders<'q>(
    query: Query<'q, Postgres, PgArguments>,
    requests: &[Request<'_>],
    pay_by: impl Fn(i64) -> i64,
) -> Query<'q, Postgres, PgArguments> {
    let orders = || requests.iter().map(|request| request.order);
    let mut seats: Vec<SeatIndex> = Vec::with_capacity(2 * requests.len());
    let mut first_seats = Vec::with_capacity(requests.len());
    let mut last_seats = Vec::with_capacity(requests.len());
    for order in orders() {
        first_seats.push(seats.len() as i32 + 1);
        seats.extend(&order.seats);
        last_seats.push(seats.len() as i32);
    }
    query
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
        .bind(column(orders(), |order| order.idempotency_hash))
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
pub(super) fn query(sql: &'static str, seats: &[Seat]) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql)
        .bind(column(seats, |(program, ..)| *program))
        .bind(column(seats, |(_, seat, _)| *seat))
        .bind(column(seats, |(.., order)| *order))
}
