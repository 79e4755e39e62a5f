//! The delay queue beside 10,000, 100,000 and 1,000,000 entries that are due later, as the timeouts
//! of unpaid orders are.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use delay_queue::{DelayQueue, Due, NewEntry, Shard};
use hdrhistogram::Histogram;
use redis_link::Link;
use shared::naming::Names;
use ticket_rush::locations::Servers;
use ticket_rush::remove;

use super::draw;
use crate::counters::redis::RedisCounters;
use crate::delay::lateness::{self, PACE};
use crate::figures::{compared, group, heading};
use crate::leftovers::{self, Leftover};

const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];
/// Entries of a bulk call, and of a claim.
const BULK: usize = 500;
/// Entries that are scheduled one at a time, and entries that are claimed.
const SINGLES: u32 = 2_000;
const DUE: u32 = 20_000;
const LEASE_MS: u64 = 30_000;
const HOUR_MS: u64 = 3_600_000;
/// Entries whose lateness is measured.
const PACED: u32 = 2_500;
const QUICK_PACED: u32 = 500;

/// One size.
struct Measured {
    fill: f64,
    schedule: Histogram<u64>,
    claim: Histogram<u64>,
    drained: f64,
    /// Milliseconds of lateness, p50 and p99.
    late: [f64; 2],
    bytes: f64,
}

pub(super) async fn run(quick: bool) -> Result<()> {
    let (sizes, paced) = if quick {
        (&SIZES[..2], QUICK_PACED)
    } else {
        (&SIZES[..], PACED)
    };
    let mut measured = Vec::new();
    for size in sizes {
        measured.push(measure(*size, paced).await?);
    }
    group(
        "The delay queue as its pending entries grow",
        &format!(
            "entries due in an hour, over all shards; beside them {SINGLES} are scheduled one at a \
             time, {DUE} due ones claimed and acknowledged {BULK} at a time, and {paced} awaited \
             by a worker at {PACE}/s; Redis with its append-only file"
        ),
    );
    let names: Vec<String> = sizes.iter().map(|size| format!("{size} pending")).collect();
    heading(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let of = |value: &dyn Fn(&Measured) -> f64| measured.iter().map(value).collect::<Vec<f64>>();
    let us = |h: &Histogram<u64>, quantile| h.value_at_quantile(quantile) as f64;
    let lines = [
        ("schedule one, p50", of(&|m| us(&m.schedule, 0.5))),
        ("schedule one, p99", of(&|m| us(&m.schedule, 0.99))),
        ("claim 500, p50", of(&|m| us(&m.claim, 0.5))),
        ("claim 500, p99", of(&|m| us(&m.claim, 0.99))),
    ];
    compared("schedule 500 a call", &of(&|m| m.fill), "entries/s");
    for (name, values) in &lines {
        compared(name, values, "us");
    }
    let name = "claim and acknowledge 500 a call";
    compared(name, &of(&|m| m.drained), "entries/s");
    compared("lateness of a worker, p50", &of(&|m| m.late[0]), "ms");
    compared("lateness of a worker, p99", &of(&|m| m.late[1]), "ms");
    compared("memory of a pending entry", &of(&|m| m.bytes), "bytes");
    let title = "Delay queue: time of a call beside pending entries";
    draw(title, "pending entries", "us of a call", sizes, &lines);
    Ok(())
}

async fn measure(pending: u32, paced: u32) -> Result<Measured> {
    let servers = Servers::from_env();
    let prefix = format!("bench-growth-{:06x}", rand::random::<u32>() >> 8);
    leftovers::note(Leftover::Keys(prefix.clone()));
    let names = Names::new(&prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    let link = Link::open(&servers.redis_url, Duration::from_secs(10))?;
    let queue = DelayQueue::new(link, names.prefix(), "grown").context("a queue's name")?;

    let before = RedisCounters::read(&servers.redis_url).await?.used_bytes;
    let began = Instant::now();
    schedule(&queue, "pending", pending, Due::In(HOUR_MS)).await?;
    let fill = f64::from(pending) / began.elapsed().as_secs_f64();
    let used = RedisCounters::read(&servers.redis_url).await?.used_bytes;

    let mut singles = Histogram::new(3)?;
    for n in 0..SINGLES {
        let one = entry("single", n, Due::In(HOUR_MS));
        let began = Instant::now();
        queue
            .schedule(one.shard, &one.id, &one.body, one.due)
            .await?;
        singles.record(began.elapsed().as_micros() as u64)?;
    }
    schedule(&queue, "due", DUE, Due::In(0)).await?;
    let (claim, drained) = drain(&queue).await?;
    let late = lateness::run(&queue, paced).await?.1;
    remove::keys(&servers, &prefix).await?;
    let ms = |quantile| late.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Measured {
        fill,
        schedule: singles,
        claim,
        drained,
        late: [ms(0.5), ms(0.99)],
        bytes: used.saturating_sub(before) as f64 / f64::from(pending),
    })
}

/// Claims and acknowledges what is due, over all shards. Returns microseconds of each claim, and
/// entries per second.
async fn drain(queue: &DelayQueue) -> Result<(Histogram<u64>, f64)> {
    let shards: Vec<Shard> = Shard::all().collect();
    let mut claims = Histogram::new(3)?;
    let mut drained = 0;
    let began = Instant::now();
    loop {
        let call = Instant::now();
        let claimed = queue.claim(&shards, BULK, LEASE_MS).await?.claims;
        if claimed.is_empty() {
            break;
        }
        claims.record(call.elapsed().as_micros() as u64)?;
        queue.ack_many(&claimed).await?;
        drained += claimed.len();
    }
    ensure!(drained == DUE as usize, "{drained} of {DUE} were claimed");
    Ok((claims, f64::from(DUE) / began.elapsed().as_secs_f64()))
}

async fn schedule(queue: &DelayQueue, name: &str, entries: u32, due: Due) -> Result<()> {
    for start in (0..entries).step_by(BULK) {
        let some: Vec<NewEntry> = (start..entries.min(start + BULK as u32))
            .map(|n| entry(name, n, due))
            .collect();
        queue.schedule_many(&some).await?;
    }
    Ok(())
}

fn entry(name: &str, n: u32, due: Due) -> NewEntry {
    let id = format!("{name}-{n}");
    NewEntry {
        shard: Shard::of_id(&id),
        body: format!("{{\"program\":\"17\",\"number\":\"{n:015}\"}}"),
        id,
        due,
    }
}
