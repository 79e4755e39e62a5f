//! Why a bridge stopped.

use rdkafka::error::KafkaError;

use crate::supervision::TaskError;

/// Why a bridge stopped.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The topic cannot be read.
    #[error("topic {topic} at {servers}: {error}")]
    Topic {
        /// Name.
        topic: String,
        /// Bootstrap servers.
        servers: String,
        /// The reason.
        #[source]
        error: Box<KafkaError>,
    },
    /// A record cannot become a message. Earlier records are copied.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The queue refuses a message, for this reason.
    #[error("queue {queue} refuses a message: {why}")]
    Refused {
        /// Name.
        queue: String,
        /// What the server reports.
        why: String,
    },
    /// The queue does not exist.
    #[error("there is no queue {queue} at {endpoint}")]
    NoQueue {
        /// Name.
        queue: String,
        /// URL of the server.
        endpoint: String,
    },
    /// The thread that copies ended without a result.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why a record cannot become a message. A record is named `topic-partition-offset`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Its value is larger than a message may be.
    #[error(
        "record {record} has {bytes} bytes, more than a queue takes; copy it by other means and \
         commit past it"
    )]
    TooLarge {
        /// The record.
        record: String,
        /// Bytes of its value.
        bytes: usize,
    },
    /// It has no value, and a message has at least one character.
    #[error("record {0} is empty (a tombstone?), which no queue takes; commit past it")]
    Empty(String),
}
