//! Event source mappings of Kafka: the adapter of [`event_sources::stream`], the pure machine.
//!
//! A record passes through these modules in order:
//!
//! | module | task |
//! |---|---|
//! | `kind`, `event_source` | what an application has of Kafka; one opened mapping, for the host |
//! | `source` | one run of a mapping: creates the consumer, the polling thread and the driver |
//! | `consumer` | callbacks of librdkafka: rebalances and errors become events for the driver |
//! | `start_offsets`, `known_topics` | start offsets of a group; ids of the topics that were read |
//! | `poller` | the polling thread: messages become encoded chunks |
//! | `encode`, `buffer` | records as JSON; chunks that are held until their records are done |
//! | `driver` | feeds the machine and executes its actions: invoke, commit, pause, deliver |
//! | `discards`, `record` | failure records of discarded records |
//!
//! Beside them, `monitor` checks topics and group every few seconds, `read_errors` reports errors
//! of the consumer, `status` collects counters and health, `moves` executes an operator's seek or
//! skip in a running mapping, and `consumer_failure` lists why a run ends. `probe`, `positions` and
//! `reader` serve commands that run without a mapping, `dead_letters` brings discarded records back.
//! `settings` has the configuration of librdkafka, `tokens` the logins of MSK by IAM.
//!
//! Guarantees:
//! - Each record is processed at least once, in order within its partition.
//! - An offset is committed only after its record is done.
//! - The mapping waits for an unavailable broker and replaces a consumer that failed.
//! - A drain completes and commits the batches in flight, then leaves the group.

mod batch_result;
mod buffer;
#[cfg(test)]
mod buffer_tests;
mod checks;
mod consumer;
mod consumer_failure;
mod dead_letters;
mod describe;
mod discards;
mod driver;
mod encode;
mod event_source;
mod kind;
pub(crate) mod reader;

mod known_topics;
mod monitor;
mod moves;
mod poller;
pub mod positions;
mod probe;
mod read_errors;
mod record;
mod settings;
mod silent;
mod source;
mod start_offsets;
mod status;
mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use crate::sources::sqs::Sqs;
use crate::supervision::ComponentRegistry;
pub use batch_result::batch_result;
pub use event_source::KafkaEventSource;
pub use kind::KafkaSourceKind;
pub use moves::MoveError;
pub use positions::{GroupPosition, SeekTarget};
pub use probe::{ProbeError, probe};
pub(crate) use record::OriginalRecord;
pub(crate) use settings::cluster;
pub(crate) use silent::{DeliveryResults, SilentContext};
pub use status::{MappingStatus, PartitionStatus};
pub(crate) use tokens::{ClientTokens, TokenContext};

/// Time limit for closing the consumer of a drained mapping. Usually one exchange with the broker
/// is enough. A consumer that is closed during its first assignment can wait forever within
/// librdkafka: it ends its membership with the response to the assignment and then drops the
/// response to the revocation (2.12, `rd_kafka_cgrp_op_serve`).
pub const LEAVING: Duration = Duration::from_secs(8);

/// Capacity of the channel from the polling thread to the driver, in chunks.
const CHUNKS_AHEAD: usize = 16;

/// Capacity of the channel for operators' moves.
const MOVES: usize = 16;

/// Limits and services that a host gives a mapping.
#[derive(Debug, Clone)]
pub struct KafkaLimits {
    /// Maximum of concurrent invocations.
    pub in_flight: usize,
    /// Maximum of bytes of encoded records in memory.
    pub buffer_bytes: usize,
    /// Time limit of a drain for the batches in flight.
    pub drain: Duration,
    /// Identifies this host within the group, also after a restart.
    pub host_id: String,
    /// Batching window and retry delays of the service instead of the shortest ones.
    pub aws_timing: bool,
    /// The SQS server of destinations that are queues.
    pub sqs: Option<Sqs>,
    /// ARN of the function for failure records.
    pub function_arn: String,
    /// The host's registry of supervised parts.
    pub parts: ComponentRegistry,
    /// The host's state folder, which keeps the ids of topics. `None`: they are kept in memory
    /// only.
    pub state: Option<PathBuf>,
}
