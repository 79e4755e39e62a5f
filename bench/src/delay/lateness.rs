//! The lateness of entries: from the millisecond they are due to the first line of their handler,
//! by the clock of this machine, which is also that of Redis. Beside it the lateness of a thread
//! that only sleeps until the same times, the best that a program on this machine can do.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use delay_queue::{DelayQueue, Due, Job, NewEntry, Shard, Worker, WorkerSettings};
use hdrhistogram::Histogram;
use lambda_batch::Outcome;
use tokio::sync::Notify;

use super::{BULK, entry, id};

/// Entries per second.
pub(crate) const PACE: u32 = 500;
/// Time between scheduling and the first due entry.
const LEAD_MS: u64 = 4000;

/// Microseconds of lateness of this many entries, of the machine and of the worker, measured at the
/// same time so that the same load affects both.
pub(crate) async fn run(
    queue: &DelayQueue,
    total: u32,
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    let first_ms = now_us() / 1000 + LEAD_MS;
    let due_ms = move |n: u32| first_ms + u64::from(n) * 1000 / u64::from(PACE);
    for start in (0..total).step_by(BULK) {
        let some: Vec<NewEntry> = (start..total.min(start + BULK as u32))
            .map(|n| entry(n, Shard::of_id(&id(n)), Due::At(due_ms(n))))
            .collect();
        queue.schedule_many(&some).await?;
    }
    ensure!(
        now_us() / 1000 < first_ms,
        "scheduling took longer than {LEAD_MS} ms"
    );
    let sleeper = thread::spawn(move || sleep_until_each((0..total).map(due_ms)));

    let late = Arc::new(Mutex::new(histogram()?));
    let all = Arc::new(Notify::new());
    let of_handler = late.clone();
    let last = all.clone();
    let worker = Worker::new(queue.clone(), WorkerSettings::default(), move |job: Job| {
        let now_us = now_us();
        let mut late = of_handler.lock().unwrap_or_else(PoisonError::into_inner);
        // An early entry would be a bug, which an absurd figure shows.
        late.saturating_record(now_us.checked_sub(job.due_ms * 1000).unwrap_or(u64::MAX));
        if late.len() == u64::from(total) {
            last.notify_one();
        }
        std::future::ready(Outcome::Done)
    })?;
    let patience = Duration::from_secs(u64::from(total / PACE) + 60);
    let tally = tokio::time::timeout(patience, worker.run(all.notified()))
        .await
        .context("not all entries came")?;
    ensure!(tally.done == u64::from(total), "{tally:?} of {total}");
    let machine = sleeper
        .join()
        .map_err(|_| anyhow::anyhow!("the sleeping thread panicked"))??;
    let late = late.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((machine, late))
}

fn sleep_until_each(times_ms: impl Iterator<Item = u64>) -> Result<Histogram<u64>> {
    let mut late = histogram()?;
    for due_ms in times_ms {
        thread::sleep(Duration::from_micros(
            (due_ms * 1000).saturating_sub(now_us()),
        ));
        late.saturating_record(now_us().saturating_sub(due_ms * 1000));
    }
    Ok(late)
}

/// Microseconds up to ten minutes. `saturating_record` does not enlarge a histogram: one without
/// bounds records values above 2,047 as 2.
fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 600_000_000, 3)?)
}

fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}
