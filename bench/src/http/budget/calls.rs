//! System calls per accepted order.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::components::{Component, processes};
use crate::counters::system_calls::{SystemCalls, count};
use crate::figures::{compared, group, heading, note};
use crate::http::arrivals::Schedule;
use crate::http::sale::{CONNECTIONS, Sale};

/// Orders per second: far below what a traced system reaches.
const RATE: u32 = 100;
/// Until strace has attached to every thread, and after the last order until it is stored.
const MARGIN: Duration = Duration::from_secs(2);
/// Calls that are listed by name.
const TOP: usize = 6;

pub(super) async fn run(sale: &mut Sale<'_>, quick: bool) -> Result<()> {
    let load = Duration::from_secs(if quick { 2 } else { 6 });
    group(
        "System calls of an accepted order",
        &format!(
            "counted by strace in a window of their own, open loop at {RATE} orders/s, one \
             component after the other, without those of an idle window of the same length"
        ),
    );
    heading(&["calls", "idle, per s"]);
    let status = sale.watch.status().await?;
    let components: BTreeMap<_, _> = processes(&status)
        .into_iter()
        .filter(|(component, _)| *component != Component::OtherFunctions)
        .collect();
    for (component, pids) in components {
        let Some((calls, idle, accepted)) = trace(sale, &pids, load).await? else {
            note("not measured: there is no strace, or it may not trace other processes");
            return Ok(());
        };
        let net = |all: u64, idle: u64| (all as f64 - idle as f64) / accepted;
        let seconds = (load + 2 * MARGIN).as_secs_f64();
        let values = [net(calls.all(), idle.all()), idle.all() as f64 / seconds];
        compared(component.name(), &values, "");
        for (name, n) in calls.top(TOP) {
            let before = idle.of(name);
            let values = [net(n, before), before as f64 / seconds];
            compared(&format!("  {name}"), &values, "");
        }
    }
    Ok(())
}

/// Calls under load, calls of an idle window, and the number of accepted orders.
async fn trace(
    sale: &mut Sale<'_>,
    pids: &[u32],
    load: Duration,
) -> Result<Option<(SystemCalls, SystemCalls, f64)>> {
    let table = sale.env.folder.join("strace");
    let span = load + 2 * MARGIN;
    let Some(idle) = count(pids, span, &table).await else {
        return Ok(None);
    };
    let schedule = Schedule {
        rate: RATE,
        warm_up: Duration::ZERO,
        span: load,
        connections: CONNECTIONS,
    };
    let orders = async {
        sleep(MARGIN).await;
        sale.orders(schedule).await
    };
    let (calls, arrived) = tokio::join!(count(pids, span, &table), orders);
    let accepted = arrived?.accepted as f64;
    sale.stored().await?;
    Ok(calls.map(|calls| (calls, idle, accepted)))
}
