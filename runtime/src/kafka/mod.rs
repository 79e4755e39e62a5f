//! Kafka event source mappings: records from a real cluster through the pure machine of [`event_sources::stream`] to a function.
//!
//! A record passes through these files in this order: `poller` polls on a thread of its own and has `encode` write each
//! message as JSON into a chunk (`consumer` is what librdkafka calls back into meanwhile); `buffer` holds chunks until their records are done and cuts events out of them; `driver`
//! feeds the machine, invokes, commits, pauses; `source` runs the three together, [`event_sources::kafka`] says as which member of the group, `broken` names why another consumer is needed; `destination` takes what is given up, `record` reads a record back out of its JSON; where a group continues, and what needs an alarm; `offsets` asks the brokers for it and commits it, `topics` keeps which topics were read; `survey` looks every few seconds whether the topics are still those, and whether the group has given each partition to a member, and asks what the consumer does not report (`lookups`); `settings` holds every
//! setting of librdkafka with its reason; `positions` says where the group stands, and `moves` has a running mapping read from elsewhere; `lookup` reads for both; `question` asks a cluster before the start whether it lets us in; `trouble` reports what Kafka reports; `status` shows how far it all is and how it fares.
//!
//! Promises: at least once, in order within a partition; an offset is committed only when its record is done; a broker
//! that goes away is waited for; a consumer that cannot go on is replaced; a drain finishes what is in flight, commits it and leaves.

mod broken;
mod buffer;
mod classify;
mod clock;
mod consumer;
mod discards;
mod driver;
mod encode;
pub(crate) mod lookup;
mod lookups;
mod moves;
mod offsets;
mod poller;
pub mod positions;
mod question;
mod record;
mod settings;
mod silent;
mod source;
mod status;
mod survey;
mod topics;
mod trouble;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::destinations::DestinationClient;
use crate::invocation::Invoker;
use crate::model::KafkaMapping;
use crate::sqs::Sqs;
use crate::supervision::{ComponentRegistry, supervise};
use crate::tuning::SourceSettings;
pub use classify::batch_result;
use moves::Move;
pub use positions::{PositionAction, PositionChange, Standing, Target};
pub use question::reach;
pub(crate) use record::OriginalRecord;
pub(crate) use settings::{SERVICE_GATHERS, cluster};
pub(crate) use silent::{DeliveryResults, SilentContext};
use source::Source;
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
    /// Where the mapping is registered as a part of its host.
    pub parts: ComponentRegistry,
    /// The host's state folder, which keeps the ids of the topics that were read; `None`: they are forgotten when the host ends.
    pub state: Option<PathBuf>,
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
            topics: self.mapping.topics.clone(),
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
    /// It could not drain. Says which mapping and why.
    pub async fn ended(self) -> Result<(), String> {
        self.task
            .await
            .unwrap_or_else(|error| Err(format!("mapping {}: {error}", self.watch.mapping.id)))
    }
}

/// Starts a mapping, which drains when `shutdown` turns true. Should its consumer become unusable, another one takes its place.
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
    let failed = |why: &dyn std::fmt::Display| format!("mapping {}: {why}", mapping.id);
    let destination = mapping
        .on_failure
        .as_ref()
        .map(|to| DestinationClient::new(to, settings::cluster(&mapping), limits.sqs.as_ref()))
        .transpose()
        .map_err(|why| failed(&why))?;
    let source = Source::new(
        mapping.clone(),
        limits.clone(),
        destination,
        invoker,
        (tuned, wanted),
        shutdown.clone(),
    )
    .map_err(|why| failed(&why))?;
    let watch = Watch {
        mapping,
        progress: source.progress.clone(),
        moves,
    };
    let part = limits
        .parts
        .component(format!("mapping {}", watch.mapping.id));
    limits
        .parts
        .add_thread(Source::polling_name(&watch.mapping.id));
    let task = tokio::spawn(supervise(part, shutdown, move || source.clone().run()));
    Ok(Handle { watch, tune, task })
}
