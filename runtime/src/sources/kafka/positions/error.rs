//! Why the positions of a group are unknown, or do not change.

use rdkafka::error::KafkaError;

use crate::destinations::DestinationError;
use crate::sources::kafka::reader::ReadError;
use crate::supervision::TaskError;

/// Why the positions of a group cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The brokers do not answer, or report an error.
    #[error("Kafka at {servers}: {error}")]
    Brokers {
        /// Bootstrap servers.
        servers: String,
        /// The reason.
        #[source]
        error: KafkaError,
    },
    /// The cluster does not have a topic of the mapping.
    #[error("Kafka at {servers} has no topic {topic}")]
    NoTopic {
        /// Bootstrap servers.
        servers: String,
        /// Name.
        topic: String,
    },
    /// The bounds of a log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a group may not continue at an offset. `partition`: `topic-number`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OffsetError {
    /// The offset is outside of the log.
    #[error("{partition} has the offsets {start} to {end}, not {to}")]
    OutsideLog {
        /// The partition.
        partition: String,
        /// First offset of the log.
        start: i64,
        /// The next offset to be written.
        end: i64,
        /// The requested offset.
        to: i64,
    },
    /// The group has passed the record to skip.
    #[error("the group has passed {record} of {partition} already: it is at {committed}")]
    Passed {
        /// The partition.
        partition: String,
        /// The record.
        record: i64,
        /// The next offset to read.
        committed: i64,
    },
    /// The log ends before the record to skip.
    #[error("{partition} has no record {record} yet: it ends at {end}")]
    NotWritten {
        /// The partition.
        partition: String,
        /// The record.
        record: i64,
        /// The next offset to be written.
        end: i64,
    },
    /// The group has no position to move from.
    #[error(
        "the group has never read {0}; StartingPosition determines where it begins. Start the \
         mapping once"
    )]
    NeverRead(String),
}

/// Why a group is not moved while no host runs.
#[derive(Debug, thiserror::Error)]
pub enum DirectMoveError {
    /// The members of the group are unknown.
    #[error("group {group}: {error}")]
    Group {
        /// Name.
        group: String,
        /// The reason.
        #[source]
        error: KafkaError,
    },
    /// A host runs.
    #[error(
        "group {group} has {members} members: a host reads with it. Name its control address \
         (--control, or control in usher.toml), or stop it first"
    )]
    HasMembers {
        /// Name.
        group: String,
        /// Their number.
        members: usize,
    },
    /// The commit is rejected.
    #[error("the brokers reject the offset {offset} of {topic}-{partition}: {error}")]
    Rejected {
        /// Topic.
        topic: String,
        /// Partition number.
        partition: i32,
        /// The offset.
        offset: i64,
        /// The reason.
        #[source]
        error: KafkaError,
    },
    /// The record cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The record to skip is not the next one.
    #[error(
        "the next record of {topic}-{partition} is {next}, not {record}. Skip that one, or seek"
    )]
    NotNext {
        /// Topic.
        topic: String,
        /// Partition number.
        partition: i32,
        /// The next record.
        next: i64,
        /// The record to skip.
        record: i64,
    },
    /// The mapping does not read the topic.
    #[error("the mapping does not read topic {0}")]
    OtherTopic(String),
    /// There is no client of the destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The destination takes nothing, so nothing was skipped.
    #[error("{destination} takes no failure records ({error}); nothing was skipped")]
    NotDelivered {
        /// Kind and name.
        destination: String,
        /// The reason.
        #[source]
        error: Box<DestinationError>,
    },
    /// The task of a request ended without a result.
    #[error(transparent)]
    Task(#[from] TaskError),
}
