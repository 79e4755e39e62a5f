//! order-create beside 100,000 and 1,000,000 orders that are stored already, and the bytes that a
//! stored order takes.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use sqlx::{PgPool, Row};
use ticket_rush::prepare::orders_topic;

use super::draw;
use crate::create::{BATCH, FUNCTION, WARM, WORKERS, environment, open_programs};
use crate::figures::{compared, figure, group, heading, note};
use crate::preload::fill;
use crate::throughput::{Run, through_usher};

const SIZES: [u32; 2] = [100_000, 1_000_000];
/// Orders that order-create stores beside them.
const ORDERS: u32 = 40_000;

/// Bytes of a table and of its indexes, and its rows.
struct TableSize {
    table: String,
    rows: f64,
    heap: f64,
    indexes: Vec<(String, f64)>,
}

pub(super) async fn run() -> Result<()> {
    let mut runs = vec![measure(0).await?];
    for size in SIZES {
        runs.push(measure(size).await?);
    }
    group(
        "order-create as stored orders grow",
        &format!(
            "{ORDERS} orders of 2 seats, batches of {BATCH}, {WORKERS} at the same time, beside \
             orders of one seat that were stored before; CPU of usher and functions"
        ),
    );
    let names = std::iter::once("none".to_owned());
    let names: Vec<String> = names
        .chain(SIZES.iter().map(|n| format!("{n} stored")))
        .collect();
    heading(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let of = |value: fn(Run) -> f64| runs.iter().map(|(run, _)| value(*run)).collect::<Vec<_>>();
    let rates = of(Run::rate);
    compared("stored by order-create", &rates, "orders/s");
    compared("  CPU", &of(Run::cpu_per_million), "s per million orders");
    draw(
        "order-create beside stored orders",
        "orders stored before",
        "orders/s",
        &SIZES,
        &[("stored by order-create", rates[1..].to_vec())],
    );
    if let Some((_, tables)) = runs.first() {
        print_sizes(tables);
    }
    Ok(())
}

/// A run beside `stored` orders, and the sizes of the tables at its end.
async fn measure(stored: u32) -> Result<(Run, Vec<TableSize>)> {
    let env = environment("growth").await?;
    let programs = open_programs(&env, ORDERS).await?;
    sqlx::query(include_str!("../sql/growth_orders.sql"))
        .bind(i64::from(stored))
        .execute(&env.db)
        .await?;
    sqlx::raw_sql("ANALYZE orders; ANALYZE order_seats")
        .execute(&env.db)
        .await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let brokers = env.environment.servers.brokers.clone();
    let topic = orders_topic(&env.environment.prefix);
    tokio::task::spawn_blocking(move || fill(&brokers, &topic, 0..ORDERS, &programs, now))
        .await??;
    let host = env.environment.up().await?;
    let run = through_usher(&host.status_client(), FUNCTION, u64::from(ORDERS), WARM).await?;
    host.stop().await?;
    let sizes = table_sizes(&env.db).await?;
    env.strike().await?;
    Ok((run, sizes))
}

async fn table_sizes(db: &PgPool) -> Result<Vec<TableSize>> {
    let mut tables: Vec<TableSize> = Vec::new();
    let rows = sqlx::query(include_str!("../sql/growth_sizes.sql"));
    for row in rows.fetch_all(db).await? {
        let table: String = row.try_get("of")?;
        let index = (row.try_get("index")?, row.try_get("index_bytes")?);
        match tables.last_mut().filter(|last| last.table == table) {
            Some(last) => last.indexes.push(index),
            None => tables.push(TableSize {
                rows: row.try_get("rows")?,
                heap: row.try_get("heap_bytes")?,
                indexes: vec![index],
                table,
            }),
        }
    }
    Ok(tables)
}

fn print_sizes(tables: &[TableSize]) {
    group(
        "Bytes of a stored order in PostgreSQL",
        &format!(
            "{ORDERS} orders of 2 seats as order-create leaves them, before a vacuum; files of \
             table and indexes, divided by the number of orders"
        ),
    );
    let all = |table: &TableSize| table.heap + table.indexes.iter().map(|i| i.1).sum::<f64>();
    let per_order = |bytes: f64| bytes / f64::from(ORDERS);
    for table in tables {
        let name = format!("{}, {:.0} rows", table.table, table.rows);
        figure(&name, per_order(table.heap), "bytes");
        for (index, bytes) in &table.indexes {
            figure(&format!("  index {index}"), per_order(*bytes), "bytes");
        }
    }
    let sum = tables.iter().map(all).sum::<f64>();
    figure("table and indexes of both", per_order(sum), "bytes");
    note("an index that has grown with the table may be up to twice as large as one built at once");
}
