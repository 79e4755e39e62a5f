//! Reads the rows of one environment's schema: in pages, by primary keys, in one read-only snapshot.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{FromRow, PgConnection, Row};

use crate::tables::{Category, Order, Parked, Payment, Program, Refund, SeatRow, Tables};

/// Rows of a page.
const PAGE: i64 = 5_000;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Which orders are kept in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keep<'a> {
    /// All: client logs may name any.
    All,
    /// Those that are live, were paid, are not settled, contradict themselves, or have a seat row, a
    /// payment or one of these numbers.
    Needed(&'a BTreeSet<String>),
}

/// The database of one environment.
pub(crate) struct Database {
    pool: PgPool,
    env: String,
}

impl Database {
    /// Connects with at most one connection.
    pub(crate) async fn open(server: PgConnectOptions, env: &str) -> Result<Self> {
        // A pooler in transaction mode supports neither named statements nor startup options.
        let server = server.statement_cache_capacity(0);
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT)
            .connect_with(server);
        Ok(Self {
            pool: pool.await.context("PostgreSQL does not answer")?,
            env: env.to_owned(),
        })
    }

    /// The programs with their categories.
    pub(crate) async fn programs(&self) -> Result<Vec<Program>> {
        let mut snapshot = self.snapshot().await?;
        let programs = programs(&mut snapshot).await;
        self.readable(programs)
    }

    /// All tables, in one snapshot.
    pub(crate) async fn tables(&self, keep: Keep<'_>) -> Result<Tables> {
        let mut snapshot = self.snapshot().await?;
        let tables = tables(&mut snapshot, keep).await;
        self.readable(tables)
    }

    async fn snapshot(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut snapshot = self.pool.begin_with(begin).await?;
        sqlx::query("SELECT set_config('search_path', $1, true)")
            .bind(self.env.replace('-', "_"))
            .execute(&mut *snapshot)
            .await?;
        Ok(snapshot)
    }

    fn readable<T>(&self, read: Result<T>) -> Result<T> {
        let (env, schema) = (&self.env, self.env.replace('-', "_"));
        read.with_context(|| {
            format!(
                "the tables of schema {schema:?} cannot be read; has environment {env:?} been migrated?"
            )
        })
    }
}

async fn programs(db: &mut PgConnection) -> Result<Vec<Program>> {
    let mut programs: Vec<Program> = sqlx::query_as(include_str!("sql/programs.sql"))
        .fetch_all(&mut *db)
        .await?;
    let categories = sqlx::query(include_str!("sql/categories.sql"));
    for row in categories.fetch_all(&mut *db).await? {
        let of: String = row.try_get("program")?;
        let found = programs.iter_mut().find(|program| program.id == of);
        if let Some(program) = found {
            program.categories.push(Category::from_row(&row)?);
        }
    }
    Ok(programs)
}

async fn tables(db: &mut PgConnection, keep: Keep<'_>) -> Result<Tables> {
    let mut tables = Tables {
        programs: programs(db).await?,
        ..Tables::default()
    };
    let mut after = (0_i64, -1_i64);
    loop {
        let page: Vec<SeatRow> = sqlx::query_as(include_str!("sql/order_seats.sql"))
            .bind(after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(&mut *db)
            .await?;
        let Some(last) = page.last() else { break };
        after = (last.program.parse()?, last.seat);
        tables.seats.extend(page);
    }
    pages(db, include_str!("sql/payments.sql"), |row| {
        tables.payments.push(Payment::from_row(row)?);
        row.try_get("id")
    })
    .await?;
    pages(db, include_str!("sql/refunds.sql"), |row| {
        let refund = Refund::from_row(row)?;
        let id = refund.id.parse().map_err(decode)?;
        tables.refunds.push(refund);
        Ok(id)
    })
    .await?;
    tables.parked = sqlx::query_as(include_str!("sql/parked.sql"))
        .fetch_all(&mut *db)
        .await?;
    let blocked = sqlx::query_as(include_str!("sql/blocked_seats.sql"));
    tables.blocked = blocked.fetch_all(&mut *db).await?.into_iter().collect();
    tables.unsettled = numbers(db, include_str!("sql/unsettled.sql")).await?;
    orders(db, keep, &mut tables).await?;
    Ok(tables)
}

async fn orders(db: &mut PgConnection, keep: Keep<'_>, tables: &mut Tables) -> Result<()> {
    let mut needed = BTreeSet::new();
    if let Keep::Needed(_) = keep {
        needed = numbers(db, include_str!("sql/repeated_keys.sql")).await?;
        needed.extend(tables.seats.iter().map(|row| row.order.clone()));
        needed.extend(tables.payments.iter().map(|row| row.order.clone()));
    }
    let (found, ended) = (&mut tables.orders, &mut tables.ended);
    let is_kept = |order: &Order| match keep {
        Keep::All => true,
        Keep::Needed(named) => {
            let number = &order.number;
            let by_itself = !order.is_final() || order.was_paid() || order.dirty;
            by_itself
                || !order.costs_its_seats()
                || named.contains(number)
                || needed.contains(number)
        }
    };
    pages(db, include_str!("sql/orders.sql"), |row| {
        let order = Order::from_row(row)?;
        let number = order.number.parse().map_err(decode)?;
        if is_kept(&order) {
            found.insert(order.number.clone(), order);
        } else {
            *ended += 1;
        }
        Ok(number)
    })
    .await
}

/// Reads a table in pages. `take` returns the key of a row.
async fn pages(
    db: &mut PgConnection,
    sql: &'static str,
    mut take: impl FnMut(&PgRow) -> Result<i64, sqlx::Error>,
) -> Result<()> {
    let mut after = 0_i64;
    loop {
        let query = sqlx::query(sql).bind(after).bind(PAGE);
        let page = query.fetch_all(&mut *db).await?;
        for row in &page {
            after = take(row)?;
        }
        if page.is_empty() {
            return Ok(());
        }
    }
}

async fn numbers(db: &mut PgConnection, sql: &'static str) -> Result<BTreeSet<String>> {
    let numbers: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut *db).await?;
    Ok(numbers.into_iter().collect())
}

fn decode(error: std::num::ParseIntError) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

/// A row becomes a value whose fields have the names of the columns.
macro_rules! from_row {
    ($type:ident { $($field:ident $(= $column:literal)?),* $(,)? } $($more:tt)*) => {
        impl FromRow<'_, PgRow> for $type {
            fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
                Ok(Self {
                    $($field: row.try_get(from_row!(@ $field $($column)?))?,)*
                    $($more)*
                })
            }
        }
    };
    (@ $field:ident) => { stringify!($field) };
    (@ $field:ident $column:literal) => { $column };
}

from_row!(Program { id, shard, user_limit, changing } categories: Vec::new());
from_row!(Category {
    no,
    first_seat,
    rows,
    row_len
});
from_row!(Order {
    number,
    nonce,
    user = "user_id",
    program,
    seats,
    unit_price_cents,
    amount_cents,
    key = "idempotency_key",
    status,
    dirty
});
from_row!(SeatRow {
    program,
    seat,
    order = "order_number"
});
from_row!(Payment {
    reference,
    order = "order_number",
    reported,
    amount_cents,
    status,
    claimed_cents = "claimed",
    refunded_cents = "refunded",
    by_operator,
    pays
});
from_row!(Parked { place, reason });

impl FromRow<'_, PgRow> for Refund {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            payment: (
                row.try_get("reference")?,
                row.try_get("reported")?,
                row.try_get("payment_cents")?,
            ),
            amount_cents: row.try_get("amount_cents")?,
            state: row.try_get("state")?,
            by_operator: row.try_get("by_operator")?,
        })
    }
}
