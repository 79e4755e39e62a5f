//! Postgres, the source of truth: reads every table that the checks need in one snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{PgConnection, Row};

/// A category of a program and the shape of its seat map.
#[derive(Debug, Clone)]
pub(crate) struct Category {
    pub no: i64,
    pub first_seat: i64,
    pub rows: i64,
    pub row_len: i64,
}

impl Category {
    /// Seats of a full chunk: whole rows, at most 2048 seats (or one row).
    pub(crate) fn chunk_seats(&self) -> i64 {
        (2048 / self.row_len).max(1) * self.row_len
    }

    pub(crate) fn seats(&self) -> i64 {
        self.rows * self.row_len
    }
}

/// A program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub id: String,
    pub shard: i64,
    pub user_limit: i64,
    pub categories: Vec<Category>,
}

/// A row of `orders`.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub number: String,
    pub nonce: String,
    pub user: Option<String>,
    pub program: Option<String>,
    pub seats: Vec<i64>,
    pub unit_price_cents: i64,
    pub amount_cents: i64,
    pub key: Option<String>,
    pub status: String,
    pub dirty: bool,
}

impl Order {
    /// Whether the order holds seats.
    pub(crate) fn live(&self) -> bool {
        matches!(self.status.as_str(), "unpaid" | "paid" | "refunding")
    }

    /// Whether the order was paid.
    pub(crate) fn was_paid(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "refunding" | "refunded")
    }

    /// Whether the order has ended or is paid.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.status.as_str(),
            "paid" | "refunded" | "cancelled" | "closed" | "rejected" | "void"
        )
    }

    /// Whether the order was stored, neither fenced nor rejected.
    pub(crate) fn was_stored(&self) -> bool {
        !matches!(self.status.as_str(), "void" | "rejected")
    }
}

/// A row of `order_seats`.
#[derive(Debug, Clone)]
pub(crate) struct SeatRow {
    pub program: String,
    pub seat: i64,
    pub order: String,
}

/// A row of `payments`.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub reference: String,
    /// The order that it is for; an operator may have assigned it to this one.
    pub order: String,
    /// The order that the provider named.
    pub reported: String,
    pub amount_cents: i64,
    pub status: String,
    /// What refunds claim of the amount.
    pub claimed_cents: i64,
    /// What of that is refunded.
    pub refunded_cents: i64,
    /// An operator returned it, and recorded that.
    pub by_operator: bool,
    /// It pays its order, or did until it was refunded.
    pub pays: bool,
}

/// A row of `refunds`.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub id: String,
    /// Reference, reported order and amount of its payment.
    pub payment: (String, String, i64),
    pub amount_cents: i64,
    pub state: String,
    /// An operator returned the money, and recorded that.
    pub by_operator: bool,
}

/// A parked message.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub place: String,
    pub reason: String,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub programs: Vec<Program>,
    pub orders: BTreeMap<String, Order>,
    pub seats: Vec<SeatRow>,
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
    pub parked: Vec<Parked>,
    /// Committed orders by which the gate is not settled.
    pub unsettled: Vec<String>,
}

impl Tables {
    pub(crate) fn live(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|o| o.live())
    }

    /// The row of a payment, by the order that the provider named. Several payments may share a reference.
    pub(crate) fn payment(
        &self,
        reference: &str,
        order: &str,
        amount_cents: i64,
    ) -> Option<&Payment> {
        self.payments.iter().find(|p| {
            p.reference == reference && p.reported == order && p.amount_cents == amount_cents
        })
    }

    pub(crate) fn order_keys(&self) -> BTreeSet<&str> {
        self.orders.keys().map(String::as_str).collect()
    }
}

/// Reads the environment's schema in one read-only snapshot.
pub(crate) async fn read(server: PgConnectOptions, env: &str) -> Result<Tables> {
    let schema = env.replace('-', "_");
    let options = server.options([("search_path", &schema)]);
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options);
    let pool = pool.await.context("PostgreSQL does not answer")?;
    let mut snapshot = pool
        .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let tables = read_tables(&mut snapshot).await;
    tables.with_context(|| {
        format!(
            "the tables of schema {schema:?} cannot be read; has environment {env:?} been migrated?"
        )
    })
}

async fn read_tables(db: &mut PgConnection) -> Result<Tables> {
    let mut programs = rows(db, include_str!("sql/programs.sql"), |r| {
        Ok(Program {
            id: r.try_get("id")?,
            shard: r.try_get("shard")?,
            user_limit: r.try_get("user_limit")?,
            categories: vec![],
        })
    })
    .await?;
    let categories = rows(db, include_str!("sql/categories.sql"), |r| {
        let category = Category {
            no: r.try_get("no")?,
            first_seat: r.try_get("first_seat")?,
            rows: r.try_get("rows")?,
            row_len: r.try_get("row_len")?,
        };
        Ok((r.try_get::<String, _>("program")?, category))
    })
    .await?;
    for (program, category) in categories {
        programs
            .iter_mut()
            .filter(|p| p.id == program)
            .for_each(|p| p.categories.push(category.clone()));
    }
    let orders = rows(db, include_str!("sql/orders.sql"), |r| {
        Ok(Order {
            number: r.try_get("number")?,
            nonce: r.try_get("nonce")?,
            user: r.try_get("user_id")?,
            program: r.try_get("program")?,
            seats: r.try_get("seats")?,
            unit_price_cents: r.try_get("unit_price_cents")?,
            amount_cents: r.try_get("amount_cents")?,
            key: r.try_get("idempotency_key")?,
            status: r.try_get("status")?,
            dirty: r.try_get("dirty")?,
        })
    })
    .await?;
    let seats = rows(db, include_str!("sql/order_seats.sql"), |r| {
        Ok(SeatRow {
            program: r.try_get("program")?,
            seat: r.try_get("seat")?,
            order: r.try_get("order_number")?,
        })
    })
    .await?;
    let payments = rows(db, include_str!("sql/payments.sql"), |r| {
        Ok(Payment {
            reference: r.try_get("reference")?,
            order: r.try_get("order_number")?,
            reported: r.try_get("reported")?,
            amount_cents: r.try_get("amount_cents")?,
            status: r.try_get("status")?,
            claimed_cents: r.try_get("claimed")?,
            refunded_cents: r.try_get("refunded")?,
            by_operator: r.try_get("by_operator")?,
            pays: r.try_get("pays")?,
        })
    })
    .await?;
    let refunds = rows(db, include_str!("sql/refunds.sql"), |r| {
        Ok(Refund {
            id: r.try_get("id")?,
            payment: (
                r.try_get("reference")?,
                r.try_get("reported")?,
                r.try_get("payment_cents")?,
            ),
            amount_cents: r.try_get("amount_cents")?,
            state: r.try_get("state")?,
            by_operator: r.try_get("by_operator")?,
        })
    })
    .await?;
    let parked = rows(db, include_str!("sql/parked.sql"), |r| {
        Ok(Parked {
            place: r.try_get("place")?,
            reason: r.try_get("reason")?,
        })
    })
    .await?;
    let unsettled = rows(db, include_str!("sql/unsettled.sql"), |r| {
        r.try_get("number")
    })
    .await?;
    Ok(Tables {
        programs,
        orders: orders.into_iter().map(|o| (o.number.clone(), o)).collect(),
        seats,
        payments,
        refunds,
        parked,
        unsettled,
    })
}

async fn rows<T>(
    db: &mut PgConnection,
    sql: &'static str,
    read: impl Fn(PgRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>> {
    let rows = sqlx::query(sql).fetch_all(db).await?;
    Ok(rows.into_iter().map(read).collect::<Result<_, _>>()?)
}
