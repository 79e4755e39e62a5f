//! order-create beside a collector that hangs, as a share of order-create alone. One run measures
//! without, beside, beside, without, so that a machine that changes speed favours neither.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use sqlx::{Connection, PgConnection, Row};
use ticket_rush::prepare::{calls_topic, orders_topic};

use crate::create::{BATCH, FUNCTION, WARM, WORKERS, environment, open_programs};
use crate::figures::{figure, group};
use crate::preload::{fill, fill_calls};
use crate::throughput::{Run, through_usher};

/// Calls that wait for the collector.
const CALLS: u32 = 20_000;

pub(crate) async fn run(orders: u32) -> Result<()> {
    let orders = (orders / 4).max(20_000);
    let mut without = Vec::new();
    let mut beside = Vec::new();
    for hanging in [false, true, true, false] {
        let run = once(orders, hanging).await?;
        if hanging { &mut beside } else { &mut without }.push(run);
    }
    let configuration = format!(
        "{orders} orders of 2 seats a run, batches of {BATCH}, {WORKERS} workers; {CALLS} calls \
         wait for a collector whose table is locked; two runs of each kind"
    );
    group("Order-create beside a collector that hangs", &configuration);
    let without = rate(&without);
    let beside = rate(&beside);
    figure("without a collector", without, "orders/s");
    figure("beside one that hangs", beside, "orders/s");
    figure(
        "ratio of the rates",
        beside / without,
        "of the rate without",
    );
    Ok(())
}

fn rate(runs: &[Run]) -> f64 {
    runs.iter().map(|run| run.done as f64).sum::<f64>()
        / runs.iter().map(|run| run.seconds).sum::<f64>()
}

async fn once(orders: u32, hanging: bool) -> Result<Run> {
    let mut env = environment("isolation").await?;
    let programs = open_programs(&env, orders).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    let brokers = env.environment.servers.brokers.clone();
    let prefix = env.environment.prefix.clone();
    tokio::task::spawn_blocking(move || {
        fill(&brokers, &orders_topic(&prefix), 0..orders, &programs, now)?;
        fill_calls(&brokers, &calls_topic(&prefix), CALLS, now)
    })
    .await??;
    let collector = ("ApiDataCollectorEnabled".to_owned(), hanging.to_string());
    env.environment.parameters.push(collector);

    // Each batch of the collector waits for this lock, fails, is delivered again, and waits again.
    let mut lock = PgConnection::connect_with(&env.db.connect_options()).await?;
    let mut held = lock.begin().await?;
    sqlx::raw_sql("LOCK TABLE api_progress IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *held)
        .await?;
    let host = env.environment.up().await?;
    let run = through_usher(&host.status_client(), FUNCTION, u64::from(orders), WARM).await?;
    let waiting =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'api_progress'::regclass";
    let waiting: i64 = sqlx::query(waiting).fetch_one(&env.db).await?.try_get(0)?;
    let collected = host
        .status_client()
        .status()
        .await?
        .mapping("ApiDataCollector")
        .map(|mapping| mapping.records_done);
    ensure!(
        (waiting > 0) == hanging && collected.unwrap_or(0) == 0,
        "the collector did not hang as it should: {waiting}, {collected:?}"
    );
    held.rollback().await?;
    host.stop().await?;
    env.strike().await?;
    Ok(run)
}
