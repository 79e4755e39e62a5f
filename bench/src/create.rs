//! Orders stored from a preloaded topic: by order-create under `usher`, then by the bare loader,
//! from the same records. The gate has reserved and accepted the first half of the orders, as in a
//! sale; the other half it does not know, as after a loss.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use shared::message::{ProgramId, Shard};
use sqlx::Row;
use ticket_rush::prepare::orders_topic;

use crate::environment::BenchEnvironment;
use crate::figures::{compared, figure, goal, group, heading};
use crate::preload::{Program, fill, programs};
use crate::report::Bound;
use crate::throughput::{Run, through_usher};
use crate::{bare, orders_peers, preload, reserved};

/// Batches of order-create that are handled at the same time, and tasks of the bare loader.
pub(crate) const WORKERS: usize = 4;
/// Maximum records of a batch, for both.
pub(crate) const BATCH: usize = 2000;
/// The function.
pub(crate) const FUNCTION: &str = "OrderCreate";
/// The first orders, one part in this many, are warm-up, for both.
pub(crate) const WARM: u64 = 10;

pub(crate) async fn run(orders: u32, quick: bool) -> Result<()> {
    let env = environment("create").await?;
    let half = orders / 2;
    let programs = open_programs(&env, orders).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    reserved::reserve(&env, half, &programs, now).await?;
    let mut runs = Vec::with_capacity(3);
    for part in [0..half, half..2 * half] {
        runs.push(stored(&env, &programs, part, now).await?);
    }

    let topic = orders_topic(&env.environment.prefix);
    runs.push(bare::run(&env, &topic, u64::from(2 * half), WORKERS, BATCH).await?);
    let configuration = format!(
        "{half} orders of 2 seats in {} partitions each, batches of {BATCH}, {WORKERS} at a time, \
         into the same tables and indexes",
        ticket_rush::topics::PARTITIONS
    );
    group("Orders from Kafka to Postgres", &configuration);
    heading(&["accepted", "unknown", "bare loader"]);
    let of = |value: fn(Run) -> f64| runs.iter().map(|run| value(*run)).collect::<Vec<_>>();
    compared("rate", &of(Run::rate), "orders/s");
    let cpu = "CPU of usher and functions, or the loader";
    compared(cpu, &of(Run::cpu_per_million), "s per million orders");
    let ratio = |value: fn(Run) -> f64| value(runs[0]) / value(runs[2]);
    let unit = "of the bare loader";
    figure("rate of accepted orders", ratio(Run::rate), unit);
    figure("CPU of accepted orders", ratio(Run::cpu_per_million), unit);
    let name = "order-create, seats settled, to the bare loader: rate";
    goal(name, ratio(Run::rate), Bound::AtLeast(0.8), "times");
    let name = "order-create, seats settled, to the bare loader: CPU of an order";
    goal(
        name,
        ratio(Run::cpu_per_million),
        Bound::AtMost(2.0),
        "times",
    );
    let spring = orders_peers::store(&env, &topic, u64::from(2 * half), runs[0], quick).await;
    env.strike().await?;
    spring
}

/// An environment in which order-create works alone, with [`WORKERS`] and [`BATCH`].
pub(crate) async fn environment(name: &str) -> Result<BenchEnvironment> {
    let mut env = BenchEnvironment::set(name).await?;
    env.environment.schedules = false;
    let sizes = [
        ("OrderCreateConcurrency", WORKERS.to_string()),
        ("OrderCreateBatchSize", BATCH.to_string()),
    ];
    let sizes = sizes.map(|(name, value)| (name.to_owned(), value));
    env.environment.parameters.extend(sizes);
    Ok(env)
}

/// Fills the topic with a part of the orders, and measures a host that stores them.
async fn stored(
    env: &BenchEnvironment,
    programs: &[Program],
    part: std::ops::Range<u32>,
    now: u64,
) -> Result<Run> {
    let environment = &env.environment;
    let (orders, all) = (part.len() as u64, i64::from(part.end));
    let (brokers, topic) = (
        &environment.servers.brokers,
        orders_topic(&environment.prefix),
    );
    let (brokers, programs) = (brokers.clone(), programs.to_vec());
    tokio::task::spawn_blocking(move || fill(&brokers, &topic, part, &programs, now)).await??;
    let host = environment.up().await?;
    let run = through_usher(&host.status_client(), FUNCTION, orders, WARM).await?;
    host.stop().await?;
    let row = sqlx::query(
        "SELECT (SELECT count(*) FROM orders WHERE status = 'unpaid' AND NOT dirty),
                (SELECT count(*) FROM unsettled)",
    );
    let row = row.fetch_one(&env.db).await?;
    let found: (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    ensure!(
        found == (all, 0),
        "orders stored and settled, and batches that are not: {found:?} of {all}"
    );
    Ok(run)
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
        let shard: i64 = row.try_get(0)?;
        opened.push(Program {
            id: id.parse::<ProgramId>()?,
            shard: Shard::new(shard.try_into().context("a shard")?)?,
        });
    }
    host.stop().await?;
    Ok(opened)
}
