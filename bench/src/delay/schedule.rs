//! Scheduling.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use delay_queue::{DelayQueue, Due, NewEntry, Shard};
use tokio::task::JoinSet;

use super::{BULK, entry};

/// Clients that schedule one entry per call.
const CLIENTS: u32 = 100;
/// Clients that schedule many entries per call; the bulk phase of `BullMQ` has as many.
const BULK_CLIENTS: usize = 4;

/// One entry per call, many clients over one connection.
pub(super) async fn singly(queue: &DelayQueue, shard: Shard, entries: u32) -> Result<Duration> {
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let queue = queue.clone();
        clients.spawn(async move {
            for n in (client..entries).step_by(CLIENTS as usize) {
                let entry = entry(n, shard, Due::In(3_600_000));
                queue
                    .schedule(shard, &entry.id, &entry.body, entry.due)
                    .await?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    clients
        .join_all()
        .await
        .into_iter()
        .collect::<Result<()>>()?;
    Ok(began.elapsed())
}

/// Many entries per call, [`BULK_CLIENTS`] over one connection.
pub(super) async fn many(
    queue: &DelayQueue,
    entries: u32,
    due: Due,
    shard: impl Fn(u32) -> Shard + Copy + Send + 'static,
) -> Result<Duration> {
    let began = Instant::now();
    let next = Arc::new(AtomicU32::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..BULK_CLIENTS {
        let queue = queue.clone();
        let next = next.clone();
        clients.spawn(async move {
            loop {
                let start = next.fetch_add(BULK as u32, Ordering::Relaxed);
                if start >= entries {
                    return Ok::<_, anyhow::Error>(());
                }
                let some: Vec<NewEntry> = (start..entries.min(start + BULK as u32))
                    .map(|n| entry(n, shard(n), due))
                    .collect();
                queue.schedule_many(&some).await?;
            }
        });
    }
    clients
        .join_all()
        .await
        .into_iter()
        .collect::<Result<()>>()?;
    Ok(began.elapsed())
}
