//! Kafka event source mappings: records from a real cluster through the pure machine of [`crate::mapping`] to a function.
//!
//! A record passes through these files in this order: `poller` polls on a thread of its own and has `encode` write each
//! message as JSON into a chunk (`consumer` is what librdkafka calls back into meanwhile); `buffer` holds chunks until their records are done and cuts events out of them; `driver`
//! feeds the machine, invokes, commits, pauses; `destination` takes what is given up, `record` reads a record back out of its JSON; `offsets` decides where a new group starts; `settings` holds every
//! setting of librdkafka with its reason; `positions` says where the group stands, and `moves` has a running mapping read from elsewhere; `lookup` reads for both; `question` asks a cluster before the start whether it lets us in; `status` shows how far it all is.
//!
//! Promises: at least once, in order within a partition; an offset is committed only when its record is done; a broker
//! that goes away is waited for; a drain finishes what is in flight, commits it and leaves.

mod buffer;
mod consumer;
mod destination;
mod driver;
mod encode;
pub(crate) mod lookup;
mod moves;
mod offsets;
mod poller;
pub mod positions;
mod question;
mod quiet;
mod record;
mod settings;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::invocation::Invoker;
use crate::model::KafkaMapping;
use crate::sqs::Sqs;
use crate::tuning::SourceSettings;
use consumer::{Context, MappingConsumer};
use destination::Outlet;
use driver::Driver;
use moves::Move;
use poller::Orders;
pub use positions::{PositionAction, PositionChange, Standing, Target};
pub use question::reach;
pub(crate) use quiet::{Deliveries, Quiet};
pub(crate) use record::Original;
pub(crate) use settings::{LARGEST_REQUEST, SERVICE_GATHERS, cluster};
use status::Progress;
pub use status::{MappingStatus, PartitionStatus};

/// How long a mapping that has drained may take to close its consumer. It needs no more than an exchange with the broker; but one that
/// is closed while its first assignment is on its way can wait for ever within librdkafka, which ends the group's part with the
/// answer to the assignment and then drops the answer to the revocation that was on its way as well (2.12: `rd_kafka_cgrp_op_serve`).
pub const LEAVING: Duration = Duration::from_secs(8);

/// Chunks on their way from the polling thread to the driver.
const CHUNKS_AHEAD: usize = 16;

/// Moves of operators on their way to the driver.
const MOVES: usize = 16;

/// What a mapping needs of its host.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Invocations of the function at one time.
    pub in_flight: usize,
    /// Bytes of encoded records held.
    pub buffer_bytes: usize,
    /// Time a drain waits for batches in flight.
    pub drain: Duration,
    /// Distinguishes this host within the group, the same after a restart.
    pub host_id: String,
    /// Gather and retry at the service's pace instead of as soon as possible.
    pub aws_timing: bool,
    /// Where destinations that are queues are reached.
    pub sqs: Option<Sqs>,
    /// The function, as destinations are told of it.
    pub function_arn: String,
}

/// A running mapping.
#[derive(Debug)]
pub struct Handle {
    watch: Watch,
    tune: watch::Sender<Option<SourceSettings>>,
    task: JoinHandle<Result<(), String>>,
}

/// A view of a mapping, for the status.
#[derive(Debug, Clone)]
pub struct Watch {
    mapping: KafkaMapping,
    progress: Arc<Progress>,
    moves: mpsc::Sender<Move>,
}

impl Watch {
    /// How far it is.
    pub fn status(&self) -> MappingStatus {
        MappingStatus {
            mapping: self.mapping.id.clone(),
            function: self.mapping.function.clone(),
            group: self.mapping.group.clone(),
            ..self.progress.snapshot(&self.mapping.topics)
        }
    }
}

impl Handle {
    /// A view that outlives this handle.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// How far it is.
    pub fn status(&self) -> MappingStatus {
        self.watch.status()
    }

    /// Changes how it behaves from now on; lives as long as the mapping.
    pub fn tuner(&self) -> watch::Sender<Option<SourceSettings>> {
        self.tune.clone()
    }

    /// Waits until the mapping has drained and left its group.
    ///
    /// # Errors
    /// It ended before it was told to, or badly. Says which mapping and why.
    pub async fn ended(self) -> Result<(), String> {
        let ended = self.task.await.unwrap_or_else(|error| Err(error.to_string()));
        ended.map_err(|why| format!("mapping {} reads no more: {why}", self.watch.mapping.id))
    }
}

/// Waits for the polling thread, then closes the consumer, which blocks; at most [`LEAVING`], since nothing depends on it: what is
/// done is committed, and the broker misses a member that says nothing.
async fn leave(polling: std::thread::JoinHandle<()>, consumer: Arc<MappingConsumer>) -> Result<(), String> {
    let mapping = consumer.context().mapping.clone();
    let (left, leaving) = oneshot::channel();
    // not a blocking task, which the runtime would wait for at its end
    let thread = std::thread::Builder::new().name(format!("close {mapping}")).spawn(move || {
        let polled = polling.join();
        drop(consumer);
        // nobody waits any more
        let _ = left.send(polled.is_ok());
    });
    thread.map_err(|error| format!("cannot start a thread: {error}"))?;
    match tokio::time::timeout(LEAVING, leaving).await {
        Ok(Ok(true)) => Ok(()),
        Ok(_) => Err("its polling thread panicked".to_owned()),
        Err(_) => {
            tracing::warn!(
                mapping,
                "Kafka has not let it leave its group within {} s; the group notices when its session runs out",
                LEAVING.as_secs()
            );
            Ok(())
        }
    }
}

/// Starts a mapping. It drains when `shutdown` turns true.
///
/// # Errors
/// Says what cannot work: a destination without an endpoint, or a setting that librdkafka refuses.
pub fn start(
    mapping: KafkaMapping,
    limits: &Limits,
    invoker: Invoker,
    shutdown: watch::Receiver<bool>,
) -> Result<Handle, String> {
    let (tune, tuned) = watch::channel(None);
    let (moves, wanted) = mpsc::channel(MOVES);
    let outlet = mapping.on_failure.as_ref().map(|to| Outlet::new(to, settings::cluster(&mapping), limits.sqs.as_ref()));
    let outlet = outlet.transpose().map_err(|why| format!("mapping {}: {why}", mapping.id))?;
    let progress = Arc::new(Progress::default());
    let (events, received) = mpsc::channel(CHUNKS_AHEAD);
    let (orders, ordered) = std_mpsc::channel();
    let context = Context::new(&mapping, events.clone(), progress.clone());
    let consumer: MappingConsumer = settings::client(&mapping, &limits.host_id)
        .create_with_context(context)
        .map_err(|error| format!("mapping {}: {error}", mapping.id))?;
    let topics: Vec<&str> = mapping.topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(|error| format!("mapping {}: cannot subscribe to {topics:?}: {error}", mapping.id))?;
    let consumer = Arc::new(consumer);
    consumer.context().belongs_to(&consumer);
    let stop = Arc::new(AtomicBool::new(false));
    let batch = mapping.batch_size as usize;
    let (ending, polling) = oneshot::channel();
    let polling_thread = std::thread::Builder::new().name(format!("poll {}", mapping.id)).spawn({
        let (consumer, stop) = (consumer.clone(), stop.clone());
        move || {
            // dropped unsent by a panic, which tells the driver as well
            let _ = ending.send(poller::poll(&consumer, &events, &ordered, &stop, batch));
        }
    });
    let polling_thread = polling_thread.map_err(|error| format!("mapping {}: cannot start a thread: {error}", mapping.id))?;
    let machine = settings::machine(&mapping, limits);
    let destination = (outlet, limits.function_arn.clone());
    let orders = Orders { orders, thread: polling_thread.thread().clone() };
    let driver = Driver::new(mapping.clone(), machine, destination, consumer.clone(), orders, invoker, progress.clone());
    let patience = limits.drain;
    let task = tokio::spawn(async move {
        // a task of its own, so that a panic in it still ends the polling thread
        let driven = tokio::spawn(driver.run(received, polling, tuned, wanted, shutdown, patience)).await;
        stop.store(true, Ordering::Relaxed);
        let left = leave(polling_thread, consumer).await;
        driven.map_err(|error| format!("its driver failed: {error}"))??;
        left
    });
    let watch = Watch { mapping, progress, moves };
    Ok(Handle { watch, tune, task })
}
