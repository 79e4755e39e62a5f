//! One message at a time on an idle system: the time from before it is sent until its handler
//! begins, and until a bare long poll returns it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::{MissedTickBehavior, interval};

use super::elasticmq::ElasticMq;
use super::server::Queue;
use super::{Mapping, created, start};
use crate::events::latency::{FILE, WARM, now, quantiles, written};
use crate::figures::{figure, group};
use crate::throughput::STALLED;

/// Interval of messages.
const EVERY: Duration = Duration::from_millis(25);
/// The mapping's defaults, with one process.
const MAPPING: Mapping = Mapping {
    batch: 10,
    window: 0,
    processes: 1,
};

pub(super) async fn run(server: &ElasticMq, messages: usize) -> Result<()> {
    let messages = messages + WARM;
    let queue = created(server).await?;
    let listening = tokio::spawn(listen(queue.clone(), messages));
    send(&queue, messages).await?;
    let bare = quantiles(&listening.await??)?;
    queue.remove().await?;
    let queue = created(server).await?;
    let running = start(&queue, MAPPING, Some(FILE)).await?;
    send(&queue, WARM).await?;
    written(&running, WARM).await?;
    send(&queue, messages - WARM).await?;
    let ours = quantiles(&written(&running, messages).await?)?;
    running.stop().await?;
    queue.remove().await?;
    group(
        "One message on an idle system",
        &format!(
            "{} messages, one each {} ms; from before the sending until the handler begins, or \
             until a bare long poll has it",
            messages - WARM,
            EVERY.as_millis()
        ),
    );
    for (name, values) in [("usher, to the handler", ours), ("bare long poll", bare)] {
        figure(&format!("{name}, p50"), values.0, "ms");
        figure(&format!("{name}, p99"), values.1, "ms");
    }
    Ok(())
}

async fn send(queue: &Queue, messages: usize) -> Result<()> {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..messages {
        ticks.tick().await;
        queue.send(&[now()?.to_string()]).await?;
    }
    Ok(())
}

async fn listen(queue: Queue, messages: usize) -> Result<Vec<u64>> {
    let mut latencies = Vec::new();
    let mut moved = Instant::now();
    while latencies.len() < messages {
        ensure!(
            moved.elapsed() < STALLED,
            "{} of {messages} messages came",
            latencies.len()
        );
        let received = queue.receive(2).await?;
        for message in &received {
            let sent: u128 = message.body.parse()?;
            latencies.push(now()?.saturating_sub(sent) as u64);
        }
        if !received.is_empty() {
            queue.delete(&received).await?;
            moved = Instant::now();
        }
    }
    Ok(latencies)
}
