//! The delay queue: scheduling, draining, lateness.
//!
//! | file | measures |
//! |---|---|
//! | `schedule` | entries scheduled per second |
//! | `drain` | due entries claimed, handled and acknowledged per second, by calls and by a worker |
//! | `lateness` | delay from due to handled, beside the delay of the machine itself |

mod drain;
mod lateness;
mod schedule;

use std::time::Duration;

use anyhow::{Context, Result};
use delay_queue::{DelayQueue, Due, NewEntry, Shard};
use redis_link::Link;
use shared::naming::Names;
use ticket_rush::locations::Servers;
use ticket_rush::remove;

use crate::figures::{figure, group};

/// Entries per bulk call.
const BULK: usize = 500;
const LEASE_MS: u64 = 30_000;

pub(crate) async fn run(entries: u32) -> Result<()> {
    let servers = Servers::from_env();
    let prefix = format!("bench-delay-{:06x}", rand::random::<u32>() >> 8);
    let names = Names::new(&prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    let link = Link::open(&servers.redis_url, Duration::from_secs(10))?;
    let queue =
        |name: &str| DelayQueue::new(link.clone(), names.prefix(), name).context("a queue's name");
    let shard = Shard::new(0).context("a shard")?;
    group(
        "Delay queue",
        &format!(
            "{entries} entries, bodies of 40 bytes, leases acknowledged; Redis with its own \
             persistence on, one process beside it"
        ),
    );
    let per_second = |count: u32, took: Duration| f64::from(count) / took.as_secs_f64();

    let took = schedule::singly(&queue("singles")?, shard, entries).await?;
    figure(
        &format!("schedule, one a call, {} clients", schedule::CLIENTS),
        per_second(entries, took),
        "entries/s",
    );
    let bulk = queue("bulk")?;
    let bulk_took = schedule::many(&bulk, entries, |_| shard).await?;
    figure(
        &format!("schedule, {BULK} a call"),
        per_second(entries, bulk_took),
        "entries/s",
    );
    let took = drain::by_verbs(&bulk, shard, entries).await?;
    figure(
        &format!("drain, one shard: claim {BULK}, acknowledge"),
        per_second(entries, took),
        "entries/s",
    );

    let spread = queue("spread")?;
    schedule::many(&spread, entries, |n| Shard::of_id(&id(n))).await?;
    let took = drain::by_worker(&spread, entries).await?;
    figure(
        "drain, all shards: a worker",
        per_second(entries, took),
        "entries/s",
    );
    let took = drain::at_one_instant(
        &queue("instant")?,
        entries,
        bulk_took * 5 + Duration::from_secs(2),
    )
    .await?;
    figure(
        "due at one instant: until the last is handled",
        took.as_secs_f64() * 1e3,
        "ms",
    );

    let (machine, worker) = lateness::run(&queue("paced")?).await?;
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
        let ms =
            |late: &hdrhistogram::Histogram<u64>| late.value_at_quantile(quantile) as f64 / 1000.0;
        figure(
            &format!("lateness {name} at {}/s, to the handler", lateness::PACE),
            ms(&worker),
            "ms",
        );
        figure(
            &format!("  of a thread that only sleeps, {name}"),
            ms(&machine),
            "ms",
        );
    }
    remove::keys(&servers, &prefix).await
}

fn id(n: u32) -> String {
    format!("entry-{n}")
}

fn entry(n: u32, shard: Shard, due: Due) -> NewEntry {
    NewEntry {
        shard,
        id: id(n),
        body: format!("{{\"program\":\"17\",\"number\":\"{n:015}\"}}"),
        due,
    }
}
