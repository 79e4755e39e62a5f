//! The delay queue beside its peers, each on an empty Redis server of its own with the same
//! settings.
//!
//! | file | measures |
//! |---|---|
//! | `own` | all of it for the delay queue, with these three: |
//! | `schedule` | entries scheduled per second |
//! | `drain` | due entries claimed, handled and acknowledged per second, by calls and by a worker |
//! | `lateness` | delay from due to handled, beside the delay of the machine itself |
//! | `peers` | the same for BullMQ, asynq and Redisson |

mod drain;
pub(crate) mod lateness;
mod own;
mod peers;
mod schedule;

use anyhow::Result;
use delay_queue::{Due, NewEntry, Shard};
use serde::Deserialize;
use ticket_rush::locations::Checkout;

use crate::figures::{compared, figure, goal, group, heading};
use crate::redis_server::Persistence;
use crate::report::Bound;
use lateness::PACE;
use own::Own;
use peers::PeerRun;

/// Entries per bulk call.
const BULK: usize = 500;
const LEASE_MS: u64 = 30_000;
/// Entries due one after the other.
const PACED: u32 = 5000;
const QUICK_PACED: u32 = 500;

/// Of lateness.
const QUANTILES: [&str; 3] = ["p50", "p99", "p99.9"];

/// The figures of one system: also the line that a peer prints.
#[derive(Debug, Deserialize)]
struct Report {
    /// Scheduled per second, one a call and many.
    singles: f64,
    bulk: Option<f64>,
    /// Bytes of Redis for each waiting entry.
    bytes: f64,
    /// Handled per second when all are due.
    drain: f64,
    /// From the time at which all are due until the last is handled.
    burst_ms: f64,
    /// At 50, 99 and 99.9 %; negative when early.
    late_ms: Option<[f64; 3]>,
    /// Entries that were handled more than once.
    repeated: u64,
}

/// Measures with persistence, and without it a fifth of the entries; for a quick look only with it.
/// A peer that fails has no
/// column; its error is returned after the others have been measured.
pub(crate) async fn run(entries: u32, quick: bool) -> Result<()> {
    let checkout = Checkout::find()?;
    let folder = checkout.data().join("bench");
    let mut built = Vec::new();
    for peer in peers::ALL {
        built.push(peer.build(&checkout).await?);
    }
    let runs = if quick {
        vec![(Persistence::EverySecond, entries, QUICK_PACED)]
    } else {
        let with = (Persistence::EverySecond, entries, PACED);
        vec![with, (Persistence::Off, entries / 5, 0)]
    };
    let mut failed = Ok(());
    for (persistence, entries, paced) in runs {
        let own = own::run(&folder, persistence, entries, paced).await?;
        let mut runs = Vec::new();
        for peer in &built {
            match peer.runs(&folder, persistence, entries, paced).await {
                Ok(columns) => runs.extend(columns),
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        print(persistence, entries, &own, &runs);
        for peer in &built {
            peer.print_if_skipped();
        }
    }
    failed
}

fn print(persistence: Persistence, entries: u32, own: &Own, runs: &[PeerRun]) {
    group(
        &format!("Delay queue, {}", persistence.label()),
        &format!(
            "{entries} entries with bodies of 30 to 40 bytes; a Redis server for each column, \
             without snapshots; worker and clients in one process, BullMQ's worker in a second, \
             whose start does not count; \
             usher, BullMQ and asynq acknowledge each entry, Redisson's elements are gone when \
             polled, one at a time or 1,000; asynq cuts due times to whole seconds, so its entries \
             come up to a second early, with a negative lateness; calls at the same time: 100 for \
             one entry each (Redisson 32), 4 for many (Redisson 1,000 offers)"
        ),
    );
    let reports: Vec<&Report> = std::iter::once(&own.report)
        .chain(runs.iter().map(|run| &run.report))
        .collect();
    let columns: Vec<&str> = std::iter::once("usher")
        .chain(runs.iter().map(|run| run.column))
        .collect();
    heading(&columns);
    let row = |name: &str, unit: &str, value: &dyn Fn(&Report) -> Option<f64>| {
        let cells = reports.iter().map(|report| value(report));
        let cells: Vec<f64> = cells.map(|cell| cell.unwrap_or(f64::NAN)).collect();
        compared(name, &cells, unit);
    };
    row("schedule, one a call", "entries/s", &|r| Some(r.singles));
    row("schedule, many a call", "entries/s", &|r| r.bulk);
    row("drain by a worker", "entries/s", &|r| Some(r.drain));
    row("due at one instant: until the last", "ms", &|r| {
        Some(r.burst_ms)
    });
    if own.report.late_ms.is_some() {
        for (n, name) in QUANTILES.into_iter().enumerate() {
            row(&format!("lateness at {PACE}/s, {name}"), "ms", &|r| {
                r.late_ms.map(|late| late[n])
            });
        }
    }
    row("Redis memory of a waiting entry", "bytes", &|r| {
        Some(r.bytes)
    });
    row("handled more than once", "entries", &|r| {
        Some(r.repeated as f64)
    });
    for (name, late) in QUANTILES
        .into_iter()
        .zip(own.sleeper_late_ms.into_iter().flatten())
    {
        let name = format!("lateness of a thread that only sleeps, {name}");
        figure(&name, late, "ms");
    }
    figure(
        &format!("usher: drain of one shard, claim {BULK}, acknowledge"),
        own.by_calls,
        "entries/s",
    );
    figure(
        &format!(
            "usher: {} due at one instant, until acknowledged",
            own::AT_ONCE
        ),
        own.at_once_ms,
        "ms",
    );
    if persistence == Persistence::EverySecond {
        goals(own, runs); // durable as in production
    }
}

/// The goals of the delay queue.
fn goals(own: &Own, runs: &[PeerRun]) {
    let best = |value: fn(&Report) -> f64| {
        let acknowledging = runs.iter().filter(|run| run.acknowledges);
        acknowledging.map(|run| value(&run.report)).reduce(f64::max)
    };
    let ratio = |name: &str, value: fn(&Report) -> f64| {
        if let Some(best) = best(value) {
            let name = format!("{name}, times the best of BullMQ and asynq");
            goal(&name, value(&own.report) / best, Bound::AtLeast(3.5), "");
        }
    };
    ratio("schedule", |r| r.singles.max(r.bulk.unwrap_or(0.0)));
    ratio("schedule, one a call", |r| r.singles);
    ratio("acknowledged drain", |r| r.drain);
    ratio("burst", |r| 1.0 / r.burst_ms);
    if let Some([_, p99, p999]) = own.report.late_ms {
        goal("lateness p99", p99, Bound::AtMost(2.0), "ms");
        goal("lateness p99.9", p999, Bound::AtMost(5.0), "ms");
    }
    let drain = own.report.drain;
    goal(
        "drain by a worker",
        drain,
        Bound::AtLeast(100_000.0),
        "entries/s",
    );
    let name = format!("{} due at one instant", own::AT_ONCE);
    goal(&name, own.at_once_ms, Bound::AtMost(1000.0), "ms");
    let bytes = own.report.bytes;
    goal(
        "memory of a waiting entry",
        bytes,
        Bound::AtMost(240.0),
        "bytes",
    );
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
