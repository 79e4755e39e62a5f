//! Orders as the gate has them when order-create receives them: reserved, and accepted at the
//! position of their message.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use shared::gate::{Accepted, Gate, HoldRequest, OrderAt, Reserved};
use shared::message::OrderRequested;
use shared::naming::Names;
use ticket_rush::topics::PARTITIONS;
use tokio::task::JoinSet;

use crate::environment::BenchEnvironment;
use crate::preload::{Program, order};

/// Orders in progress at the same time.
const LANES: u32 = 48;
/// Time limit of a call.
const LIMIT: Duration = Duration::from_secs(10);
/// Nothing is due before the measurement ends.
const LATER_MS: u64 = 3_600_000;

/// Reserves and accepts the first `orders` orders of [`crate::preload::fill`], for an empty topic.
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
    Ok(())
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
