//! What buyers do with a stored order, at the store: look up, pay, cancel; and closing what was not
//! paid. As storefront and timeout-closer do it, without Redis: each change is marked as settled.
//!
//! Statements and round trips are counted on the wire, CPU of Postgres by its sessions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use shared::message::{Cents, Nonce, OrderNumber, UserId};
use shared::naming::Names;
use shared::store::{
    Cancel, CloseDecision, Closing, OrderRow, Payment, PaymentResult, Store, StoreError,
    UnsettledBatch,
};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use testkit::statements::{StatementCounter, StatementCounts};
use ticket_rush::locations::Servers;
use ticket_rush::remove;
use tokio::task::JoinSet;

use crate::cpu::Reading;
use crate::figures::{compared, group, heading};
use crate::leftovers::{self, Leftover};

/// Operations of a kind, in total.
const OPERATIONS: usize = 8_000;
/// Operations at the same time, each on a connection.
const LANES: usize = 8;
/// Orders that timeout-closer claims at once.
const CLAIM: usize = 256;
/// Operations counted on the wire, after one that prepares the statements.
const COUNTED: u64 = 16;

/// A stored order.
#[derive(Debug, Clone)]
struct Sold {
    number: OrderNumber,
    nonce: Nonce,
    user: UserId,
    amount: Cents,
}

/// What is done to one order, or to a claim of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    LookUp,
    List,
    Pay,
    Cancel,
    Close,
}

impl Operation {
    /// Orders of one operation.
    fn orders(self) -> usize {
        match self {
            Self::Close => CLAIM,
            _ => 1,
        }
    }
}

/// Measures with this many orders stored.
pub(crate) async fn run(stored: u32) -> Result<()> {
    let servers = Servers::from_env();
    let prefix = format!("bench-sale-{:06x}", rand::random::<u32>() >> 8);
    let names = Names::new(&prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    leftovers::note(Leftover::Environment(prefix.clone()));
    let store = Store::connect(&servers.database_url, &names, LANES as u32)?;
    store.migrate().await?;
    let options: PgConnectOptions = servers.database_url.parse()?;
    let port = options.get_port();
    let raw = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options.options([("search_path", names.schema())]));
    let counter = StatementCounter::start(port).await;
    let (direct, relayed) = (format!(":{port}/"), format!(":{}/", counter.port()));
    let url = servers.database_url.replace(&direct, &relayed);
    let counted = Store::connect(&url, &names, 1)?;
    let bench = SaleBench {
        orders: sell(&raw, stored).await?,
        next: AtomicUsize::new(0),
        prefix: names.prefix().to_owned(),
        store,
        raw,
        counter,
        counted,
    };
    bench.measure(stored).await?;
    bench.counted.disconnect().await;
    bench.store.disconnect().await;
    bench.raw.close().await;
    remove::remove(&servers, &prefix).await
}

struct SaleBench {
    orders: Vec<Sold>,
    /// The first order that no operation has changed.
    next: AtomicUsize,
    prefix: String,
    store: Store,
    raw: PgPool,
    counter: StatementCounter,
    /// Its statements are counted.
    counted: Store,
}

impl SaleBench {
    async fn measure(&self, stored: u32) -> Result<()> {
        group(
            "Stored orders",
            &format!(
                "{stored} orders stored; {OPERATIONS} operations of a kind on {LANES} connections, \
                 closing on one; without Redis. Statements, round trips and CPU us per operation, \
                 or per order where orders are closed"
            ),
        );
        heading(&[
            "a second",
            "statements",
            "round trips",
            "postgres us",
            "client us",
        ]);
        for (name, operation) in [
            ("look up an order", Operation::LookUp),
            ("list a buyer's orders", Operation::List),
            ("pay an order", Operation::Pay),
            ("cancel an order", Operation::Cancel),
            ("close orders, 256 at a time", Operation::Close),
        ] {
            let sent = self.statements(operation).await?;
            let orders = operation.orders() as f64 * COUNTED as f64;
            let mut columns = self.speed(operation).await?;
            columns.insert(1, sent.statements as f64 / orders);
            columns.insert(2, sent.round_trips as f64 / orders);
            compared(name, &columns, "");
        }
        Ok(())
    }

    /// What the operation sends, for [`COUNTED`] of them.
    async fn statements(&self, operation: Operation) -> Result<StatementCounts> {
        self.make_due(operation, COUNTED as usize + 1).await?;
        apply(&self.counted, operation, &self.take(operation)?).await?;
        let before = self.counter.counts();
        for _ in 0..COUNTED {
            apply(&self.counted, operation, &self.take(operation)?).await?;
        }
        Ok(self.counter.counts() - before)
    }

    /// Orders a second, and CPU of Postgres and of this process, us per order.
    async fn speed(&self, operation: Operation) -> Result<Vec<f64>> {
        let lanes = if operation == Operation::Close {
            1
        } else {
            LANES
        };
        let each = OPERATIONS / operation.orders() / lanes;
        self.make_due(operation, each * lanes).await?;
        let (postgres, client) = (self.sessions().await?, Reading::own());
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        for _ in 0..lanes {
            let store = self.store.clone();
            let mine: Result<Vec<_>> = (0..each).map(|_| self.take(operation)).collect();
            let mine = mine?;
            tasks.spawn(async move {
                for orders in mine {
                    apply(&store, operation, &orders).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        let done = (each * lanes * operation.orders()) as f64;
        let took = began.elapsed().as_secs_f64();
        let micros = |seconds: f64| seconds * 1e6 / done;
        Ok(vec![
            done / took,
            micros(self.sessions().await?.since(&postgres)),
            micros(Reading::own().since(&client)),
        ])
    }

    /// The next orders that no operation has changed.
    fn take(&self, operation: Operation) -> Result<Arc<[Sold]>> {
        let from = self.next.fetch_add(operation.orders(), Ordering::Relaxed);
        let orders = self.orders.get(from..from + operation.orders());
        Ok(orders.context("too few orders are stored")?.into())
    }

    /// Ends the time to pay of the orders that `count` operations will take, if these close them.
    async fn make_due(&self, operation: Operation, count: usize) -> Result<()> {
        if operation != Operation::Close {
            return Ok(());
        }
        let from = self.next.load(Ordering::Relaxed);
        let due = self.orders.get(from..from + count * CLAIM);
        let due = due.context("too few orders are stored")?;
        let numbers: Vec<i64> = due.iter().map(|order| order.number.get()).collect();
        sqlx::query("UPDATE orders SET pay_by = now() WHERE number = ANY ($1)")
            .bind(numbers)
            .execute(&self.raw)
            .await?;
        Ok(())
    }

    /// CPU time of the environment's sessions. One that is opened later counts from its start.
    async fn sessions(&self) -> Result<Reading> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = $1";
        let pids: Vec<i32> = sqlx::query_scalar(sql)
            .bind(&self.prefix)
            .fetch_all(&self.raw)
            .await?;
        let pids = pids.into_iter().filter_map(|pid| u32::try_from(pid).ok());
        Ok(Reading::of(pids))
    }
}

/// Stores unpaid orders. Returns as many as the measurements take, from all over the table.
async fn sell(raw: &PgPool, orders: u32) -> Result<Vec<Sold>> {
    sqlx::query(include_str!("sql/sale_orders.sql"))
        .bind(i64::from(orders))
        .execute(raw)
        .await?;
    sqlx::raw_sql("ANALYZE orders; ANALYZE order_seats")
        .execute(raw)
        .await?;
    let sql = "SELECT number, nonce, user_id, amount_cents FROM orders ORDER BY random() LIMIT $1";
    let rows: Vec<(i64, [u8; 16], String, i64)> = sqlx::query_as(sql)
        .bind(6 * OPERATIONS as i64)
        .fetch_all(raw)
        .await?;
    let sold = rows.into_iter().map(|(number, nonce, user, amount)| {
        Ok(Sold {
            number: OrderNumber::new(number)?,
            nonce: Nonce::new(nonce),
            user: UserId::new(user)?,
            amount: Cents::new(amount)?,
        })
    });
    sold.collect()
}

/// One operation. Its result is the expected one.
async fn apply(store: &Store, operation: Operation, orders: &[Sold]) -> Result<()> {
    let order = orders.first().context("an order")?;
    let changed = match operation {
        Operation::LookUp => {
            let found = store.order(order.number).await?;
            ensure!(found.is_some(), "order {} is not found", order.number);
            return Ok(());
        }
        Operation::List => {
            let found = store.orders_of(&order.user, None, 20).await?;
            ensure!(!found.is_empty(), "{} has no order", order.user.as_str());
            return Ok(());
        }
        Operation::Pay => {
            let payment = Payment {
                reference: format!("p-{}", order.number),
                order: order.number,
                amount: order.amount,
            };
            let paid = store.pay(&payment).await?;
            ensure!(paid.result == PaymentResult::Applied, "{:?}", paid.result);
            paid.row
        }
        Operation::Cancel => match store.cancel(order.number, &order.user).await? {
            Cancel::Cancelled(row) => Some(row),
            other => anyhow::bail!("order {} is not cancelled: {other:?}", order.number),
        },
        Operation::Close => return close(store, orders).await,
    };
    Ok(settled(store, changed.iter(), &[]).await?)
}

async fn close(store: &Store, orders: &[Sold]) -> Result<()> {
    let due: Vec<_> = orders
        .iter()
        .map(|order| (order.number, order.nonce))
        .collect();
    let closings = store.close_due(&due).await?;
    let closed = |one: &&Closing| one.decision == CloseDecision::Closed;
    let closed = closings.decisions.iter().filter(closed).count();
    ensure!(
        closed == orders.len(),
        "{closed} of {} are closed",
        orders.len()
    );
    let rows = closings.decisions.iter().filter_map(|one| one.row.as_ref());
    Ok(settled(store, rows, &closings.unsettled).await?)
}

async fn settled<'a>(
    store: &Store,
    rows: impl Iterator<Item = &'a OrderRow>,
    batches: &[UnsettledBatch],
) -> Result<(), StoreError> {
    let versions: Vec<_> = rows.map(|row| (row.number, row.version)).collect();
    store.settled(&versions, batches).await.map(drop)
}
