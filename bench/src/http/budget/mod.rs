//! What an accepted order costs at a fixed rate, from its request until it is stored: CPU of each
//! component, and counts of its work.
//!
//! | file | holds |
//! |---|---|
//! | `components` | CPU of usher, functions, servers, load generator and machine |
//! | `counts` | scripts, statements, batches and bytes, by the counters of the servers |
//! | `calls` | system calls of usher and the functions |
//! | `memory` | memory of usher and the functions |

mod calls;
mod components;
mod counts;
mod memory;

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::sleep;

use super::arrivals::{PATIENCE, Schedule};
use super::sale::{CONNECTIONS, Sale, WARM_UP};
use crate::environment::BenchEnvironment;
use crate::figures::{compared, goal, group, heading, note};
use crate::report::Bound;
use components::{Component, Times};
use counts::Counts;

/// Orders per second.
const RATES: [u32; 2] = [500, 1_000];
/// Postgres publishes the counters of a session within this time.
const PUBLISHED: Duration = Duration::from_millis(1_500);

/// Work between two readings.
struct Window {
    seconds: f64,
    times: Times,
    counts: Counts,
}

/// A measured rate: work per accepted order, without what an idle system does in that time.
struct Measured {
    rate: u32,
    times: Times,
    counts: Counts,
}

/// Both readings of a system.
struct Reading {
    at: Instant,
    times: components::Reading,
    counts: counts::Reading,
}

impl Reading {
    async fn take(sale: &Sale<'_>) -> Result<Self> {
        let at = Instant::now();
        let times = components::Reading::take(&sale.watch).await?;
        // Afterwards, since the servers publish some counters late. What the idle system does
        // meanwhile is in the counts, and is subtracted by time like the rest of it.
        sleep(PUBLISHED).await;
        let counts = counts::Reading::take(sale.env).await?;
        Ok(Self { at, times, counts })
    }

    fn until(&self, end: &Self) -> Window {
        Window {
            seconds: (end.at - self.at).as_secs_f64(),
            times: end.times.since(&self.times),
            counts: end.counts.since(&self.counts),
        }
    }
}

pub(super) async fn run(seconds: u64, quick: bool) -> Result<()> {
    let env = BenchEnvironment::set("budget").await?.without_sweeps();
    let host = env.environment.up().await?;
    let mut sale = Sale::new(&env, host.status_client())?;
    let span = Duration::from_secs(2 * seconds);
    let schedule = |rate, span| Schedule {
        rate,
        warm_up: WARM_UP,
        span,
        connections: CONNECTIONS,
        patience: PATIENCE,
    };
    sale.orders(schedule(200, WARM_UP)).await?; // processes start, connections open
    sale.stored().await?;

    let before = Reading::take(&sale).await?;
    sleep(Duration::from_secs(seconds)).await;
    let idle = before.until(&Reading::take(&sale).await?);
    let idle_memory = memory::read(&sale.watch).await?;
    let mut measured = Vec::new();
    for rate in &RATES[usize::from(quick)..] {
        let before = Reading::take(&sale).await?;
        let arrived = sale.orders(schedule(*rate, span)).await?;
        sale.stored().await?;
        let window = before.until(&Reading::take(&sale).await?);
        let part = |n: f64| n / arrived.accepted as f64;
        let idle_part = window.seconds / idle.seconds;
        measured.push(Measured {
            rate: *rate,
            times: (window.times - idle.times.clone().map(|s| s * idle_part)).map(part),
            counts: (window.counts - idle.counts.clone().map(|n| n * idle_part)).map(part),
        });
    }
    let memory = memory::read(&sale.watch).await?;
    print_times(&measured, &idle, seconds);
    print_counts(&measured, &idle);
    memory::print(&idle_memory, &memory);
    calls::run(&mut sale, quick).await?;
    host.stop().await?;
    env.strike().await
}

fn columns(measured: &[Measured]) -> Vec<String> {
    let rates = measured.iter().map(|m| format!("at {}/s", m.rate));
    rates.chain(["idle, per s".to_owned()]).collect()
}

fn print_times(measured: &[Measured], idle: &Window, seconds: u64) {
    group(
        "CPU of an accepted order",
        &format!(
            "open loop, {} s a rate; from the request until the last order is stored, 2 best \
             seats an order; the application as in usher.toml, without a sweep in the windows",
            2 * seconds
        ),
    );
    let columns = columns(measured);
    heading(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    let row = |name: &str, of: &[Component]| {
        let values = measured.iter().map(|m| m.times.sum(of) * 1e6);
        let idle = idle.times.sum(of) / idle.seconds * 1e6;
        let values: Vec<f64> = values.chain([idle]).collect();
        compared(name, &values, "us");
    };
    for component in Component::ALL {
        row(component.name(), &[component]);
    }
    row("usher and all functions", Component::OWN);
    row("usher, functions and servers", Component::SYSTEM);
    note(
        "what an idle system uses in the same time is subtracted; the last column states it, per \
         second",
    );
    note("the machine: all of its CPU time but idle and waiting, by /proc/stat");
    for component in Component::ALL {
        if idle.times.is_missing(component) {
            note(&format!("{} is not measured: no process", component.name()));
        }
    }
    let Some(last) = measured.last() else { return };
    let goals: [(&str, &[Component], f64); 4] = [
        ("usher and functions", Component::OWN, 250.0),
        ("Redis", &[Component::GATE, Component::CACHE], 120.0),
        ("PostgreSQL", &[Component::POSTGRES], 100.0),
        ("Kafka", &[Component::KAFKA], 80.0),
    ];
    for (name, of, bound) in goals {
        let name = format!("CPU of an accepted order, {name}, at {}/s", last.rate);
        goal(&name, last.times.sum(of) * 1e6, Bound::AtMost(bound), "us");
    }
}

fn print_counts(measured: &[Measured], idle: &Window) {
    group(
        "Work of an accepted order",
        "by the counters of the servers, in the windows of the table before; per accepted order, \
         without what an idle system does in the same time",
    );
    let columns = columns(measured);
    heading(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, unit) in Counts::NAMES {
        let values: Vec<_> = measured.iter().map(|m| m.counts.get(name)).collect();
        let Some(values) = values.into_iter().collect::<Option<Vec<f64>>>() else {
            note(&format!("{name}: the server does not count them"));
            continue;
        };
        let idle = idle.counts.get(name).unwrap_or(f64::NAN) / idle.seconds;
        let values: Vec<f64> = values.into_iter().chain([idle]).collect();
        compared(name, &values, unit);
    }
}
