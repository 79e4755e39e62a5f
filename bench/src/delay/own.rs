//! The delay queue's own figures.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use delay_queue::{DelayQueue, Due, Shard};
use hdrhistogram::Histogram;

use super::{Report, drain, id, lateness, schedule};
use crate::redis_server::{Persistence, RedisServer};

/// Entries of the burst that has no peer.
pub(super) const AT_ONCE: u32 = 100_000;

/// The figures.
pub(super) struct Own {
    pub(super) report: Report,
    /// Drained per second by claims and acknowledgements of one task, from one shard.
    pub(super) by_calls: f64,
    /// From the time at which [`AT_ONCE`] entries are due until the last is acknowledged.
    pub(super) at_once_ms: f64,
    /// Lateness of a thread that only sleeps until each entry is due: the best that a program on
    /// this machine can do.
    pub(super) sleeper_late_ms: Option<[f64; 3]>,
}

/// Measures on a server of its own. Without `paced` entries lateness is left out.
pub(super) async fn run(
    folder: &Path,
    persistence: Persistence,
    entries: u32,
    paced: u32,
) -> Result<Own> {
    let server = RedisServer::start(folder, persistence).await?;
    let link = server.link()?;
    let queue = |name: &str| DelayQueue::new(link.clone(), "bench", name).context("a queue's name");
    let shard = Shard::new(0).context("a shard")?;
    let spread = |n: u32| Shard::of_id(&id(n));
    let per_second = |took: Duration| f64::from(entries) / took.as_secs_f64();

    schedule::many(&queue("warm")?, entries, Due::In(3_600_000), spread).await?;
    let before = server.used_memory(&link).await?;
    let singles = schedule::singly(&queue("singles")?, shard, entries).await?;
    let bytes = server.used_memory(&link).await?.saturating_sub(before) as f64 / f64::from(entries);

    let calls = queue("calls")?;
    schedule::many(&calls, entries, Due::In(0), move |_| shard).await?;
    let by_calls = drain::by_verbs(&calls, shard, entries).await?;

    let queue_of_worker = queue("worker")?;
    let bulk = schedule::many(&queue_of_worker, entries, Due::In(0), spread).await?;
    let drained = drain::by_worker(&queue_of_worker, entries).await?;
    // Far more than it takes to schedule that many.
    let lead = |count: u32| bulk * 5 * count / entries + Duration::from_secs(2);
    let burst = drain::at_one_instant(&queue("burst")?, entries, lead(entries)).await?;
    let at_once = drain::at_one_instant(&queue("at-once")?, AT_ONCE, lead(AT_ONCE)).await?;

    let late = if paced > 0 {
        Some(lateness::run(&queue("paced")?, paced).await?)
    } else {
        None
    };
    drop(link);
    server.stop().await?;
    Ok(Own {
        report: Report {
            singles: per_second(singles),
            bulk: Some(per_second(bulk)),
            bytes,
            drain: per_second(drained),
            burst_ms: burst.as_secs_f64() * 1e3,
            late_ms: late.as_ref().map(|(_, worker)| quantiles(worker)),
            repeated: 0, // more than one attempt fails the measurement
        },
        by_calls: per_second(by_calls),
        at_once_ms: at_once.as_secs_f64() * 1e3,
        sleeper_late_ms: late.as_ref().map(|(machine, _)| quantiles(machine)),
    })
}

fn quantiles(late_us: &Histogram<u64>) -> [f64; 3] {
    [0.5, 0.99, 0.999].map(|quantile| late_us.value_at_quantile(quantile) as f64 / 1e3)
}
