//! The limit: an rdkafka consumer that reads the length of each value.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message};

use super::{Site, WARM};
use crate::cpu::Reading;
use crate::throughput::{Run, STALLED};

/// Records between two progress reports.
const STRIDE: u64 = 1_000;

pub(super) async fn run(site: &Site, events: u64) -> Result<Run> {
    let site = site.clone();
    tokio::task::spawn_blocking(move || consume(&site, events)).await?
}

/// A consumer that stores offsets itself; the client commits them in the background.
pub(super) fn consumer(site: &Site, group: &str) -> Result<BaseConsumer> {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", &site.servers.brokers)
        .set("group.id", format!("{}-{group}", site.topic));
    settings
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "true")
        .set("enable.auto.offset.store", "false");
    let consumer: BaseConsumer = settings.create().context("Kafka's settings are wrong")?;
    consumer.subscribe(&[&site.topic])?;
    Ok(consumer)
}

fn consume(site: &Site, events: u64) -> Result<Run> {
    let consumer = consumer(site, "bare")?;
    let mut count = 0;
    let mut bytes = 0;
    let mut last = BTreeMap::new();
    let mut start = None;
    let mut moved = Instant::now();
    while count < events {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            ensure!(
                moved.elapsed() < STALLED,
                "no event for {} s at {count} of {events}",
                STALLED.as_secs()
            );
            continue;
        };
        let message = message?;
        bytes += message.payload_len();
        last.insert(message.partition(), message.offset());
        count += 1;
        if count % STRIDE == 0 {
            moved = Instant::now();
            for (partition, offset) in std::mem::take(&mut last) {
                consumer.store_offset(&site.topic, partition, offset)?;
            }
        }
        if start.is_none() && count >= events / WARM {
            start = Some((count, Instant::now(), Reading::own()));
        }
    }
    black_box(bytes);
    let (from, clock, cpu) = start.context("no events")?;
    Ok(Run {
        done: count - from,
        seconds: clock.elapsed().as_secs_f64(),
        cpu: Reading::own().since(&cpu),
    })
}
