//! Orders stored from a preloaded topic: by order-create under `usher`, then by the bare loader, from the same records.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use sqlx::Row;
use ticket_rush::host::Watch;
use ticket_rush::prepare::orders_topic;
use tokio::time::sleep;

use crate::cpu::Reading;
use crate::figures::{figure, group};
use crate::preload::{Program, fill, programs};
use crate::stage::Stage;
use crate::{bare, preload};

/// Processes of order-create, and tasks of the bare loader.
pub(crate) const WORKERS: usize = 2;
/// Records in one batch at most, on both sides.
pub(crate) const BATCH: usize = 2000;
/// Nothing done for so long: something is wrong.
const STALLED: Duration = Duration::from_mins(1);

/// What one side did between its warm-up and its end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub orders: u64,
    pub seconds: f64,
    pub cpu: f64,
}

impl Run {
    fn rate(self) -> f64 {
        self.orders as f64 / self.seconds
    }

    fn cpu_per_million(self) -> f64 {
        self.cpu / self.orders as f64 * 1e6
    }
}

pub(crate) async fn run(orders: u32) -> Result<()> {
    let mut stage = Stage::set("create").await?;
    stage.environment.schedules = false; // order-create alone
    let programs = open_programs(&stage, orders).await?;
    let topic = orders_topic(&stage.environment.prefix);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let brokers = stage.environment.servers.brokers.clone();
    let filled = topic.clone();
    tokio::task::spawn_blocking(move || fill(&brokers, &filled, orders, &programs, now)).await??;

    let sizes = [("OrderCreateConcurrency", WORKERS.to_string()), ("OrderCreateBatchSize", BATCH.to_string())];
    stage.environment.parameters.extend(sizes.map(|(name, value)| (name.to_owned(), value)));
    let host = stage.environment.up().await?;
    let ours = through_usher(&host.watch(), u64::from(orders)).await?;
    host.stop().await?;
    let stored: i64 =
        sqlx::query("SELECT count(*) FROM orders WHERE status = 'unpaid'").fetch_one(&stage.db).await?.try_get(0)?;
    ensure!(stored == i64::from(orders), "{stored} of {orders} orders were stored");

    let limit = bare::run(&stage, &topic, u64::from(orders), WORKERS, BATCH).await?;
    let configuration = format!(
        "{orders} orders of 2 seats in {} partitions, batches of {BATCH}, {WORKERS} workers, both into the same tables and indexes",
        ticket_rush::topics::PARTITIONS
    );
    group("Orders from Kafka to Postgres", &configuration);
    figure("order-create under usher (with seats settled in Redis)", ours.rate(), "orders/s");
    figure("  CPU of usher and functions", ours.cpu_per_million(), "s per million orders");
    figure("bare loader: rdkafka, UNNEST", limit.rate(), "orders/s");
    figure("  CPU of the loader", limit.cpu_per_million(), "s per million orders");
    figure("ratio of the rates", ours.rate() / limit.rate(), "of the bare loader");
    stage.strike().await
}

/// Programs as large as the orders need, made through the API, as nobody else makes them.
pub(crate) async fn open_programs(stage: &Stage, orders: u32) -> Result<Vec<Program>> {
    let host = stage.environment.up().await?;
    let mut opened = Vec::new();
    for _ in 0..programs(orders) {
        let id = stage.program(preload::SEATS / 500).await?;
        let row =
            sqlx::query("SELECT shard::int8 FROM programs WHERE id = $1::text::int8").bind(&id).fetch_one(&stage.db).await?;
        opened.push(Program { id, shard: row.try_get(0)? });
    }
    host.stop().await?;
    Ok(opened)
}

/// Watches the host work through the topic; the first tenth is warm-up.
pub(crate) async fn through_usher(watch: &Watch, orders: u64) -> Result<Run> {
    let done = async || Ok::<_, anyhow::Error>(watch.status().await?.mapping("OrderCreate").map_or(0, |m| m.records_done));
    let (mut last, mut moved) = (0, Instant::now());
    let mut start = None;
    loop {
        let now = done().await?;
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        ensure!(moved.elapsed() < STALLED, "nothing was stored for {} s at {now} of {orders}", STALLED.as_secs());
        if start.is_none() && now >= orders / 10 {
            start = Some((now, Instant::now(), Reading::of_host(watch).await?));
        }
        if let (true, Some((from, clock, cpu))) = (now >= orders, &start) {
            let seconds = clock.elapsed().as_secs_f64();
            return Ok(Run { orders: now - from, seconds, cpu: Reading::of_host(watch).await?.since(cpu) });
        }
        sleep(Duration::from_millis(20)).await;
    }
}
