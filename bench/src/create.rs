//! Orders stored from a preloaded topic: by order-create under `usher`, then by the bare loader,
//! from the same records.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use sqlx::Row;
use ticket_rush::prepare::orders_topic;

use crate::environment::BenchEnvironment;
use crate::figures::{figure, group};
use crate::preload::{Program, fill, programs};
use crate::throughput::through_usher;
use crate::{bare, orders_peers, preload};

/// Processes of order-create, and tasks of the bare loader.
pub(crate) const WORKERS: usize = 2;
/// Maximum records of a batch, for both.
pub(crate) const BATCH: usize = 2000;
/// The function.
pub(crate) const FUNCTION: &str = "OrderCreate";
/// The first orders, one part in this many, are warm-up, for both.
pub(crate) const WARM: u64 = 10;

pub(crate) async fn run(orders: u32) -> Result<()> {
    let mut env = BenchEnvironment::set("create").await?;
    env.environment.schedules = false; // order-create alone
    let programs = open_programs(&env, orders).await?;
    let topic = orders_topic(&env.environment.prefix);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let brokers = env.environment.servers.brokers.clone();
    let filled = topic.clone();
    tokio::task::spawn_blocking(move || fill(&brokers, &filled, orders, &programs, now)).await??;

    let sizes = [
        ("OrderCreateConcurrency", WORKERS.to_string()),
        ("OrderCreateBatchSize", BATCH.to_string()),
    ];
    env.environment
        .parameters
        .extend(sizes.map(|(name, value)| (name.to_owned(), value)));
    let host = env.environment.up().await?;
    let ours = through_usher(&host.status_client(), FUNCTION, u64::from(orders), WARM).await?;
    host.stop().await?;
    let stored: i64 = sqlx::query("SELECT count(*) FROM orders WHERE status = 'unpaid'")
        .fetch_one(&env.db)
        .await?
        .try_get(0)?;
    ensure!(
        stored == i64::from(orders),
        "{stored} of {orders} orders were stored"
    );

    let limit = bare::run(&env, &topic, u64::from(orders), WORKERS, BATCH).await?;
    let configuration = format!(
        "{orders} orders of 2 seats in {} partitions, batches of {BATCH}, {WORKERS} workers, both \
         into the same tables and indexes",
        ticket_rush::topics::PARTITIONS
    );
    group("Orders from Kafka to Postgres", &configuration);
    figure(
        "order-create under usher (with seats settled in Redis)",
        ours.rate(),
        "orders/s",
    );
    figure(
        "  CPU of usher and functions",
        ours.cpu_per_million(),
        "s per million orders",
    );
    figure("bare loader: rdkafka, UNNEST", limit.rate(), "orders/s");
    figure(
        "  CPU of the loader",
        limit.cpu_per_million(),
        "s per million orders",
    );
    figure(
        "ratio of the rates",
        ours.rate() / limit.rate(),
        "of the bare loader",
    );
    orders_peers::store(&env, &topic, u64::from(orders), ours).await?;
    env.strike().await
}

/// Creates programs with enough seats for the orders, through the API.
pub(crate) async fn open_programs(env: &BenchEnvironment, orders: u32) -> Result<Vec<Program>> {
    let host = env.environment.up().await?;
    let mut opened = Vec::new();
    for _ in 0..programs(orders) {
        let id = env.program(preload::SEATS / 500).await?;
        let row = sqlx::query("SELECT shard::int8 FROM programs WHERE id = $1::text::int8")
            .bind(&id)
            .fetch_one(&env.db)
            .await?;
        opened.push(Program {
            id,
            shard: row.try_get(0)?,
        });
    }
    host.stop().await?;
    Ok(opened)
}
