//! Orders as the gate has them when order-create receives them: reserved, and accepted at the
//! position of their message.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use redis::aio::MultiplexedConnection;
use shared::gate::{Accepted, Gate, HoldRequest, OrderAt, Reserved};
use shared::message::OrderRequested;
use shared::naming::Names;
use ticket_rush::topics::PARTITIONS;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::environment::BenchEnvironment;
use crate::preload::{Program, order};
use crate::throughput::STALLED;

/// Orders in progress at the same time.
const LANES: u32 = 48;
/// Time limit of a call.
const LIMIT: Duration = Duration::from_secs(10);
/// Nothing is due before the measurement ends.
const LATER_MS: u64 = 3_600_000;

/// Reserves and accepts the first `orders` orders of [`crate::preload::fill`], for an empty topic.
/// The server has no more to do for them when this returns.
pub(crate) async fn reserve(
    env: &BenchEnvironment,
    orders: u32,
    programs: &[Program],
    now_ms: u64,
) -> Result<()> {
    let environment = &env.environment;
    let names = Names::new(&environment.prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    let gate = Arc::new(Gate::connect(&environment.servers.redis_url, names, LIMIT)?);
    let programs: Arc<[Program]> = programs.into();
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let (gate, programs) = (gate.clone(), programs.clone());
        lanes.spawn(async move {
            for n in (lane..orders).step_by(LANES as usize) {
                accept(&gate, &order(n, &programs, now_ms)?, n).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = lanes.join_next().await {
        ended??;
    }
    compact(&environment.servers.redis_url).await
}

/// Makes the server rewrite its append-only file, and waits for the end: the reservations have made
/// the file grow, and a rewrite that the server begins by itself would take a processor from only
/// some of the measurements.
async fn compact(url: &str) -> Result<()> {
    let client = redis::Client::open(url)?;
    let connection = client.get_multiplexed_async_connection().await;
    let mut connection = connection.with_context(|| format!("no Redis at {url}"))?;
    rewrites_ended(&mut connection).await?;
    redis::cmd("BGREWRITEAOF")
        .exec_async(&mut connection)
        .await?;
    rewrites_ended(&mut connection).await
}

/// Waits until the server writes no file in the background.
async fn rewrites_ended(connection: &mut MultiplexedConnection) -> Result<()> {
    const BUSY: [&str; 3] = [
        "aof_rewrite_in_progress:1",
        "aof_rewrite_scheduled:1",
        "rdb_bgsave_in_progress:1",
    ];
    let began = Instant::now();
    loop {
        let mut info = redis::cmd("INFO");
        let info: String = info.arg("persistence").query_async(connection).await?;
        if !info.lines().any(|line| BUSY.contains(&line.trim())) {
            return Ok(());
        }
        ensure!(
            began.elapsed() < STALLED,
            "Redis has written a file for {} s",
            STALLED.as_secs()
        );
        sleep(Duration::from_millis(20)).await;
    }
}

async fn accept(gate: &Gate, order: &OrderRequested, n: u32) -> Result<()> {
    let request = HoldRequest::of_message(order, 1_000, LATER_MS, LATER_MS);
    let reserved = gate.reserve(&request).await?;
    ensure!(matches!(reserved, Reserved::Held { .. }), "{reserved:?}");
    let at = OrderAt {
        order: order.order,
        nonce: order.nonce,
        program: request.program,
    };
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
    let due_in_ms = order.pay_by_ms.saturating_sub(now_ms).unsigned_abs();
    let (partition, offset) = (n as i32 % PARTITIONS, i64::from(n as i32 / PARTITIONS));
    let accepted = gate
        .accept(at, partition, offset, now_ms, due_in_ms)
        .await?;
    ensure!(accepted == Accepted::Yes, "{accepted:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis_server::{Persistence, RedisServer};

    #[tokio::test]
    async fn the_file_is_rewritten_when_compacting_returns() -> Result<()> {
        let folder = std::env::temp_dir();
        let server = RedisServer::start(&folder, Persistence::EverySecond).await?;
        compact(&server.url()).await?;
        let mut info = redis::cmd("INFO");
        info.arg("persistence");
        let text = server.link()?.read_one("INFO", info).await?.word()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines.contains(&"aof_rewrites:1"), "{text}");
        assert!(lines.contains(&"aof_rewrite_in_progress:0"), "{text}");
        server.stop().await
    }
}
