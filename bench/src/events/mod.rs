//! Events from Kafka to an empty function: `usher` and its alternatives, from the same topic.
//!
//! | file | measures |
//! |---|---|
//! | `host` | the function of `bench/events` under `usher`, over the unmodified Runtime API |
//! | `bare` | the limit: an rdkafka consumer with nothing behind it |
//! | `peers` | Watermill (Go) and a Spring Kafka batch listener, which handle events in-process |
//! | `neighbours` | the function beside another that hangs, crashes in a loop or floods its log |
//! | `latency` | latency of one event on an idle system |
//! | `topics` | what a host costs with more topics and functions |

mod bare;
mod host;
pub(crate) mod latency;
mod neighbours;
mod peers;
mod topics;

use anyhow::Result;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::topics::{PARTITIONS, ensure, remove};

use self::host::{Model, Setup};
use crate::figures::{figure, goal, group};
use crate::leftovers::{self, Leftover};
use crate::preload::fill_events;
use crate::report::Bound;
use crate::throughput::Run;

pub(crate) use latency::run as latency;
pub(crate) use neighbours::run as neighbours;
pub(crate) use topics::run as topics;

/// Bytes of a value.
pub(crate) const VALUE: usize = 300;
/// Batch sizes: the default, and two for throughput.
const BATCHES: [u32; 3] = [100, 1_000, 10_000];
const QUICK_BATCHES: [u32; 2] = [100, 10_000];
/// Processes of the function.
const INSTANCES: u32 = 2;
/// Batches that a process handles at a time in the managed model: one of each partition.
const PER_PROCESS: u32 = PARTITIONS as u32;
/// The first events, one part in this many, are warm-up for all.
const WARM: u64 = 4;

fn show(run: Run, name: &str, limit: Run) {
    figure(name, run.rate(), "events/s");
    figure(
        "  of the rdkafka consumer's rate",
        run.rate() / limit.rate(),
        "",
    );
    figure("  CPU", run.cpu_per_million(), "s per million events");
}

/// The topic of a measurement.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    checkout: Checkout,
    servers: Servers,
    topic: String,
}

impl Site {
    async fn set(name: &str) -> Result<Self> {
        let topic = format!("bench-{name}-{:06x}", rand::random::<u32>() >> 8);
        let servers = Servers::from_env();
        leftovers::note(Leftover::Topic(topic.clone()));
        ensure(&servers, &topic, PARTITIONS).await?;
        Ok(Self {
            checkout: Checkout::find()?,
            servers,
            topic,
        })
    }

    /// A topic with this many events.
    async fn filled(name: &str, events: u32) -> Result<Self> {
        let site = Self::set(name).await?;
        let brokers = site.servers.brokers.clone();
        let topic = site.topic.clone();
        tokio::task::spawn_blocking(move || fill_events(&brokers, &topic, events, VALUE)).await??;
        Ok(site)
    }

    async fn strike(&self) -> Result<()> {
        remove(&self.servers, &self.topic).await
    }
}

/// Measures throughput; for a quick look with fewer sizes of batches.
pub(crate) async fn run(events: u32, quick: bool) -> Result<()> {
    let batches: &[u32] = if quick { &QUICK_BATCHES } else { &BATCHES };
    let site = Site::filled("events", events).await?;
    let configuration = format!(
        "{events} events of {VALUE} bytes in {PARTITIONS} partitions, lz4, one broker; the first \
         quarter is warm-up; usher: {INSTANCES} \
         processes of one function, or, managed, one with {PER_PROCESS} batches at a time; \
         lambda-batch decodes, memory is kept between events (MALLOC_ \
         variables of bench/events); Spring: 2 listeners, polls of at most 5,000; CPU: of the host \
         and its functions, or of the peer, without the broker"
    );
    group(
        "Events from Kafka to a function that does nothing",
        &configuration,
    );
    let events = u64::from(events);
    let limit = bare::run(&site, events).await?;
    show(limit, "rdkafka consumer, in its own process", limit);
    let mut classic = Vec::new();
    for batch in batches.iter().copied() {
        let setup = Setup::classic(batch);
        let run = host::run(&site, events, &setup).await?;
        show(run, &format!("usher, batches of {batch}"), limit);
        classic.push((batch, run.rate()));
    }
    for batch in batches.iter().copied() {
        let setup = Setup {
            model: Model::Managed(1, PER_PROCESS),
            ..Setup::classic(batch)
        };
        let run = host::run(&site, events, &setup).await?;
        show(run, &format!("usher, managed, batches of {batch}"), limit);
    }
    let mut failed = Ok(());
    for peer in peers::ALL {
        match peer.build(&site.checkout).await? {
            Ok(built) => match peers::run(&built, &site, events).await {
                Ok(run) => {
                    show(run, peer.name, limit);
                    if peer.name == peers::SPRING.name {
                        goals(&classic, run.rate());
                    }
                }
                Err(error) => failed = failed.and(Err(error)),
            },
            Err(why) => peer.print_skipped(&why),
        }
    }
    site.strike().await?;
    failed
}

/// Goals against the batch listener of Spring.
fn goals(classic: &[(u32, f64)], spring: f64) {
    for (batch, rate) in classic {
        let bound = match batch {
            100 => 0.5,
            10_000 => 1.0,
            _ => continue,
        };
        let name = format!("Kafka events, batches of {batch}, to Spring's batch listener");
        goal(&name, rate / spring, Bound::AtLeast(bound), "times");
    }
}
