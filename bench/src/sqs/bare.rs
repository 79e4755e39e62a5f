//! The limit: tasks that receive and delete, with nothing in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;

use super::WARM;
use super::server::Queue;
use crate::cpu::Reading;
use crate::throughput::{Run, STALLED};

/// Receives and deletes `messages` with so many concurrent pollers.
pub(super) async fn run(queue: &Queue, messages: u64, pollers: usize) -> Result<Run> {
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..pollers {
        let (queue, done) = (queue.clone(), done.clone());
        tasks.spawn(async move { poll(&queue, &done, messages).await });
    }
    let mut start = None;
    let mut last = (0, Instant::now());
    let run = loop {
        if let Some(ended) = tasks.try_join_next() {
            ended??;
        }
        let now = done.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
        ensure!(last.1.elapsed() < STALLED, "{now} of {messages} came");
        if start.is_none() && now >= messages / WARM {
            start = Some((now, Instant::now(), Reading::own()));
        }
        if now >= messages {
            let (from, clock, cpu) = start.context("no messages")?;
            break Run {
                done: now - from,
                seconds: clock.elapsed().as_secs_f64(),
                cpu: Reading::own().since(&cpu),
            };
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(run)
}

async fn poll(queue: &Queue, done: &AtomicU64, messages: u64) -> Result<()> {
    while done.load(Ordering::Relaxed) < messages {
        let received = queue.receive(1).await?;
        if !received.is_empty() {
            queue.delete(&received).await?;
            done.fetch_add(received.len() as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}
