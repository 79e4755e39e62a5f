//! System calls per accepted order.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::components::{Component, processes};
use crate::counters::system_calls::{SystemCalls, count};
use crate::figures::{compared, group, heading, note};
use crate::http::arrivals::{PATIENCE, Schedule};
use crate::http::sale::{CONNECTIONS, Sale};

/// Orders per second: far below what a traced system reaches.
const RATE: u32 = 100;
/// Until strace has attached to every thread, and after the last order until it is stored.
const MARGIN: Duration = Duration::from_secs(2);
/// Calls that are listed by name.
const TOP: usize = 6;

/// Calls by component.
type Calls = BTreeMap<Component, SystemCalls>;

pub(super) async fn run(sale: &mut Sale<'_>, quick: bool) -> Result<()> {
    let load = Duration::from_secs(if quick { 2 } else { 8 });
    let span = load + 2 * MARGIN;
    group(
        "System calls of an accepted order",
        &format!(
            "counted by strace in a window of their own, open loop at {RATE} orders/s, without \
             those of an idle window of the same length"
        ),
    );
    let mut processes = processes(&sale.watch.status().await?);
    processes.remove(&Component::OtherFunctions);
    let idle = count_all(&processes, span, &sale.env.folder).await;
    let folder = sale.env.folder.clone();
    let schedule = Schedule {
        rate: RATE,
        warm_up: Duration::ZERO,
        span: load,
        connections: CONNECTIONS,
        patience: PATIENCE,
    };
    let orders = async {
        sleep(MARGIN).await;
        sale.orders(schedule).await
    };
    let (calls, arrived) = tokio::join!(count_all(&processes, span, &folder), orders);
    let accepted = arrived?.accepted as f64;
    sale.stored().await?;
    if calls.is_empty() {
        note("not measured: there is no strace, or it may not trace other processes");
        return Ok(());
    }
    heading(&["calls", "idle, per s"]);
    for (component, calls) in &calls {
        let idle = idle.get(component).cloned().unwrap_or_default();
        let row = |name: &str, calls: u64, idle: u64| {
            let net = (calls as f64 - idle as f64) / accepted;
            compared(name, &[net, idle as f64 / span.as_secs_f64()], "");
        };
        row(component.name(), calls.all(), idle.all());
        for (name, count) in calls.top(TOP) {
            row(&format!("  {name}"), count, idle.of(name));
        }
    }
    Ok(())
}

/// Counts the calls of each component, all at the same time. Those that cannot be traced are left
/// out.
async fn count_all(
    processes: &BTreeMap<Component, Vec<u32>>,
    span: Duration,
    folder: &Path,
) -> Calls {
    let mut counts = JoinSet::new();
    for (n, (component, pids)) in processes.iter().enumerate() {
        let (component, pids) = (*component, pids.clone());
        let table = folder.join(format!("strace-{n}"));
        counts.spawn(async move { Some((component, count(&pids, span, &table).await?)) });
    }
    counts.join_all().await.into_iter().flatten().collect()
}
