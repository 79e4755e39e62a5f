//! The delay queue: scheduling, draining what is due, and how late entries are handed out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use shared::delay::{DelayQueue, Due, NewEntry};
use shared::link::Link;
use shared::message::Shard;
use shared::naming::Names;
use ticket_rush::place::Servers;
use ticket_rush::remove;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::figures::{figure, group};

/// Clients that schedule one entry a call.
const CLIENTS: u32 = 32;
/// Entries in one call of the bulk verb.
const BULK: usize = 500;
/// Entries claimed at a time.
const CLAIM: usize = 500;
const LEASE_MS: u64 = 30_000;
/// Entries a second of the lateness run, and for how long.
const PACE: u32 = 500;
const PACED_SECONDS: u32 = 10;

pub(crate) async fn run(entries: u32) -> Result<()> {
    let servers = Servers::from_env();
    let prefix = format!("bench-delay-{:06x}", rand::random::<u32>() >> 8);
    let names = Names::new(&prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    let link = Link::open(&servers.redis_url, Duration::from_secs(10))?;
    let queue = |name: &str| DelayQueue::new(link.clone(), names.clone(), name).context("a queue's name");
    let shard = Shard::new(0).context("a shard")?;
    group(
        "Delay queue",
        &format!("{entries} entries in one shard, bodies of 40 bytes, leases acknowledged; Redis with its own persistence on"),
    );

    let singles = Arc::new(queue("singles")?);
    let began = Instant::now();
    schedule_singly(&singles, shard, entries).await?;
    figure(&format!("schedule, one a call, {CLIENTS} clients"), f64::from(entries) / began.elapsed().as_secs_f64(), "entries/s");

    let bulk = queue("bulk")?;
    let began = Instant::now();
    for start in (0..entries).step_by(BULK) {
        let some: Vec<NewEntry> = (start..entries.min(start + BULK as u32)).map(|n| entry(n, shard, Due::In(0))).collect();
        bulk.schedule_many(&some).await?;
    }
    figure(&format!("schedule, {BULK} a call"), f64::from(entries) / began.elapsed().as_secs_f64(), "entries/s");

    let began = Instant::now();
    let drained = drain(&bulk, shard).await?;
    ensure!(drained == u64::from(entries), "{drained} of {entries} were drained");
    figure(&format!("drain: claim {CLAIM}, acknowledge"), drained as f64 / began.elapsed().as_secs_f64(), "entries/s");

    let late = lateness(&Arc::new(queue("paced")?), shard).await?;
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        figure(&format!("lateness {name} at {PACE}/s"), late.value_at_quantile(quantile) as f64 / 1000.0, "ms");
    }
    remove::keys(&servers, &prefix).await
}

fn entry(n: u32, shard: Shard, due: Due) -> NewEntry {
    NewEntry { shard, id: format!("entry-{n}"), body: format!("{{\"program\":\"17\",\"number\":\"{n:015}\"}}"), due }
}

async fn schedule_singly(queue: &Arc<DelayQueue>, shard: Shard, entries: u32) -> Result<()> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let queue = queue.clone();
        clients.spawn(async move {
            for n in (client..entries).step_by(CLIENTS as usize) {
                let entry = entry(n, shard, Due::In(3_600_000));
                queue.schedule(shard, &entry.id, &entry.body, entry.due).await?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    clients.join_all().await.into_iter().collect()
}

async fn drain(queue: &DelayQueue, shard: Shard) -> Result<u64> {
    let mut drained = 0;
    loop {
        let claimed = queue.claim(&[shard], CLAIM, LEASE_MS).await?;
        if claimed.claims.is_empty() {
            return Ok(drained);
        }
        queue.ack_many(&claimed.claims).await?;
        drained += claimed.claims.len() as u64;
    }
}

/// Entries spread evenly over some seconds; a worker sleeps until the next is due. Microseconds from due to handed out,
/// by Redis' clock at the claim plus the way back by ours.
async fn lateness(queue: &Arc<DelayQueue>, shard: Shard) -> Result<Histogram<u64>> {
    let total = PACE * PACED_SECONDS;
    let entries: Vec<NewEntry> =
        (0..total).map(|n| entry(n, shard, Due::In(1000 + u64::from(n) * 1000 / u64::from(PACE)))).collect();
    queue.schedule_many(&entries).await?;
    let mut late = Histogram::<u64>::new(3)?;
    let deadline = Instant::now() + Duration::from_secs(u64::from(PACED_SECONDS) + 30);
    while late.len() < u64::from(total) {
        ensure!(Instant::now() < deadline, "{} of {total} came due", late.len());
        let asked = Instant::now();
        let claimed = queue.claim(&[shard], CLAIM, LEASE_MS).await?;
        let way = asked.elapsed().as_micros() as u64 / 2;
        for claim in &claimed.claims {
            ensure!(claimed.now_ms >= claim.due_ms, "entry {} came {} ms early", claim.id, claim.due_ms - claimed.now_ms);
            late.record((claimed.now_ms - claim.due_ms) * 1000 + way)?;
        }
        if claimed.claims.is_empty() {
            let next = claimed.next_due_ms.map_or(1, |due| due.saturating_sub(claimed.now_ms));
            sleep(Duration::from_millis(next.clamp(1, 100))).await;
        } else {
            queue.ack_many(&claimed.claims).await?;
        }
    }
    Ok(late)
}
