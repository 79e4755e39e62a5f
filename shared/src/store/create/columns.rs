//! Requests as one array per column, for the statements in `sql/create_*.sql`.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;

use super::plan::Request;
use crate::store::StoreError;
use crate::store::pool::BoundedConnection;

/// Columns of `orders`.
#[derive(Debug, Default)]
pub(super) struct Orders<'a> {
    numbers: Vec<i64>,
    nonces: Vec<Vec<u8>>,
    users: Vec<&'a str>,
    programs: Vec<i64>,
    categories: Vec<i16>,
    first_seats: Vec<i32>,
    seats: Vec<i32>,
    last_seats: Vec<i32>,
    unit_prices: Vec<i64>,
    amounts: Vec<i64>,
    keys: Vec<Option<&'a str>>,
    pay_bys: Vec<i64>,
    traces: Vec<Option<&'a str>>,
    hashes: Vec<Option<Vec<u8>>>,
}

impl<'a> Orders<'a> {
    /// `pay_by`: what is to be stored for a promised time.
    pub(super) fn new(requests: &[Request<'a>], pay_by: impl Fn(i64) -> i64) -> Self {
        let mut columns = Self::default();
        for Request { order, .. } in requests {
            columns.numbers.push(order.order.get());
            columns.nonces.push(order.nonce.bytes().to_vec());
            columns.users.push(order.user.as_str());
            columns.programs.push(order.program.get());
            columns.categories.push(order.category.get() as i16);
            columns.first_seats.push(columns.seats.len() as i32 + 1);
            columns
                .seats
                .extend(order.seats.iter().map(|seat| seat.get() as i32));
            columns.last_seats.push(columns.seats.len() as i32);
            columns.unit_prices.push(order.unit_price_cents.get());
            columns.amounts.push(order.amount_cents.get());
            columns.keys.push(
                order
                    .idempotency_key
                    .as_ref()
                    .map(crate::message::IdempotencyKey::as_str),
            );
            columns.pay_bys.push(pay_by(order.pay_by_ms));
            columns.traces.push(order.trace.as_deref());
            columns
                .hashes
                .push(order.idempotency_hash.map(|hash| hash.bytes().to_vec()));
        }
        columns
    }

    /// Runs `create_orders` or `create_duplicates`: the numbers inserted.
    pub(super) async fn insert(
        &self,
        sql: &'static str,
        connection: &mut BoundedConnection,
    ) -> Result<Vec<i64>, StoreError> {
        let query = sqlx::query_scalar(sql)
            .bind(&self.numbers)
            .bind(&self.nonces)
            .bind(&self.users)
            .bind(&self.programs)
            .bind(&self.categories)
            .bind(&self.first_seats)
            .bind(&self.seats)
            .bind(&self.last_seats)
            .bind(&self.unit_prices)
            .bind(&self.amounts)
            .bind(&self.keys)
            .bind(&self.pay_bys)
            .bind(&self.traces)
            .bind(&self.hashes);
        Ok(query.fetch_one(connection).await?)
    }
}

/// Columns of `order_seats`.
#[derive(Debug, Default)]
pub(super) struct Seats {
    programs: Vec<i64>,
    indexes: Vec<i32>,
    numbers: Vec<i64>,
}

impl Seats {
    pub(super) fn new<'a>(requests: impl Iterator<Item = Request<'a>>) -> Self {
        let mut columns = Self::default();
        for Request { order, .. } in requests {
            for seat in &order.seats {
                columns.programs.push(order.program.get());
                columns.indexes.push(seat.get() as i32);
                columns.numbers.push(order.order.get());
            }
        }
        columns
    }

    pub(super) fn len(&self) -> usize {
        self.indexes.len()
    }

    /// A statement over these columns.
    pub(super) fn query<'q>(&'q self, sql: &'static str) -> Query<'q, sqlx::Postgres, PgArguments> {
        sqlx::query(sql)
            .bind(&self.programs)
            .bind(&self.indexes)
            .bind(&self.numbers)
    }
}
