//! One event at a time on an idle system: the time from before it is sent until its handler begins.
//! A bare consumer reads the same events, so the difference is the cost of the host and the Runtime
//! API.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message};
use ticket_rush::topics::PARTITIONS;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::host::{self, Setup};
use super::{Site, bare};
use crate::application::Application;
use crate::figures::{figure, goal, group};
use crate::report::Bound;
use crate::throughput::STALLED;

/// Interval of events.
const EVERY: Duration = Duration::from_millis(20);
/// Events that warm up producer, host and function.
pub(crate) const WARM: usize = 50;
/// Name of the file of latencies.
pub(crate) const FILE: &str = "latencies";

pub(crate) async fn run(events: u32) -> Result<()> {
    let events = events as usize + WARM;
    let site = Site::set("latency").await?;
    let setup = Setup {
        latencies: Some(FILE),
        ..Setup::classic(100)
    };
    let running = host::start(&site, &setup).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let bare = tokio::task::spawn_blocking({
        let site = site.clone();
        let stop = stop.clone();
        move || listen(&site, &stop)
    });
    // Events that come before host and consumer have joined their groups wait. They are warm-up.
    send(&site, WARM).await?;
    written(&running, WARM).await?;
    send(&site, events - WARM).await?;
    let ours = written(&running, events).await?;
    stop.store(true, Ordering::Relaxed);
    let bare = bare.await??;
    running.stop().await?;
    site.strike().await?;
    let configuration = format!(
        "{} events, one each {} ms, {PARTITIONS} partitions; from before the sending, which waits \
         for the broker, until the handler begins",
        events - WARM,
        EVERY.as_millis()
    );
    group("One event on an idle system", &configuration);
    let ours = quantiles(&ours)?;
    let bare = quantiles(&bare)?;
    for (name, values) in [
        ("usher, to the function's handler", ours),
        ("bare rdkafka consumer", bare),
    ] {
        figure(&format!("{name}, p50"), values.0, "ms");
        figure(&format!("{name}, p99"), values.1, "ms");
    }
    figure("added by host and Runtime API, p50", ours.0 - bare.0, "ms");
    figure("added by host and Runtime API, p99", ours.1 - bare.1, "ms");
    let name = "one Kafka event on an idle system, p99";
    goal(name, ours.1, Bound::AtMost(10.0), "ms");
    Ok(())
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())
}

async fn send(site: &Site, events: usize) -> Result<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &site.servers.brokers)
        .set("linger.ms", "0")
        .create()
        .context("a producer")?;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0..events {
        ticks.tick().await;
        let value = now()?.to_string();
        let record = FutureRecord::<(), _>::to(&site.topic)
            .partition(n as i32 % PARTITIONS)
            .payload(&value);
        producer
            .send(record, STALLED)
            .await
            .map_err(|(error, _)| error)
            .context("an event was not taken")?;
    }
    Ok(())
}

fn listen(site: &Site, stop: &AtomicBool) -> Result<Vec<u64>> {
    let consumer = bare::consumer(site, "bare")?;
    let mut latencies = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            continue;
        };
        let message = message?;
        let sent: u128 = std::str::from_utf8(message.payload().unwrap_or_default())?.parse()?;
        latencies.push(now()?.saturating_sub(sent) as u64);
    }
    Ok(latencies)
}

/// The latencies that the function writes to [`FILE`], once there are so many.
pub(crate) async fn written(running: &Application, events: usize) -> Result<Vec<u64>> {
    let began = Instant::now();
    loop {
        let ours = read(&std::fs::read_to_string(running.file(FILE)).unwrap_or_default())?;
        if ours.len() >= events {
            return Ok(ours);
        }
        ensure!(
            began.elapsed() < STALLED,
            "{} of {events} events came",
            ours.len()
        );
        sleep(Duration::from_millis(50)).await;
    }
}

fn read(text: &str) -> Result<Vec<u64>> {
    // The last line may be incomplete.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| Ok(line.parse()?)).collect()
}

/// Median and 99th percentile, milliseconds, without the warm-up.
pub(crate) fn quantiles(latencies: &[u64]) -> Result<(f64, f64)> {
    ensure!(
        latencies.len() > WARM,
        "only {} events were seen",
        latencies.len()
    );
    let mut histogram = Histogram::<u64>::new(3)?;
    for latency in &latencies[WARM..] {
        histogram.record(*latency)?;
    }
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    Ok((at(0.5), at(0.99)))
}
