//! Handles due entries.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use delay_queue::{DelayQueue, Due, Job, Shard, Worker, WorkerSettings};
use lambda_batch::Outcome;
use tokio::sync::mpsc;

use super::{BULK, LEASE_MS, id, schedule};

/// Maximum time of a run.
const PATIENCE: Duration = Duration::from_mins(2);

/// Claims and acknowledges batches.
pub(super) async fn by_verbs(queue: &DelayQueue, shard: Shard, entries: u32) -> Result<Duration> {
    let began = Instant::now();
    let mut drained = 0;
    loop {
        let claimed = queue.claim(&[shard], BULK, LEASE_MS).await?;
        if claimed.claims.is_empty() {
            ensure!(
                drained == entries as usize,
                "{drained} of {entries} were drained"
            );
            return Ok(began.elapsed());
        }
        queue.ack_many(&claimed.claims).await?;
        drained += claimed.claims.len();
    }
}

/// Runs a worker with an empty handler until the last entry is acknowledged.
pub(super) async fn by_worker(queue: &DelayQueue, entries: u32) -> Result<Duration> {
    let began = Instant::now();
    handled(queue, entries).await?;
    Ok(began.elapsed())
}

/// Measures from a time at which all entries are due until the last is acknowledged. `lead` is the
/// maximum time to schedule them.
pub(super) async fn at_one_instant(
    queue: &DelayQueue,
    entries: u32,
    lead: Duration,
) -> Result<Duration> {
    let instant = SystemTime::now() + lead;
    let due = Due::At(instant.duration_since(UNIX_EPOCH)?.as_millis() as u64);
    schedule::many(queue, entries, due, |n| Shard::of_id(&id(n))).await?;
    ensure!(
        SystemTime::now() < instant,
        "scheduling took longer than {lead:?}"
    );
    handled(queue, entries).await?;
    Ok(instant.elapsed()?)
}

async fn handled(queue: &DelayQueue, entries: u32) -> Result<()> {
    let (handled, mut completions) = mpsc::unbounded_channel();
    let settings = WorkerSettings {
        concurrency: 4 * BULK,
        batch: 2 * BULK,
        ..WorkerSettings::default()
    };
    let worker = Worker::new(queue.clone(), settings, move |_: Job| {
        let _ = handled.send(());
        std::future::ready(Outcome::Done)
    })?;
    let all = async move {
        for _ in 0..entries {
            completions.recv().await;
        }
    };
    // The last handler stops the worker, which acknowledges the rest before it ends.
    let tally = tokio::time::timeout(PATIENCE, worker.run(all))
        .await
        .context("the worker did not drain the queue in time")?;
    ensure!(
        tally.done == u64::from(entries) && tally.stale == 0,
        "{tally:?} of {entries}"
    );
    Ok(())
}
