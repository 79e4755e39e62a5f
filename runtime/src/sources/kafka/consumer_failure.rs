//! Why a mapping needs a new consumer.

use rdkafka::types::RDKafkaErrorCode;

use crate::supervision::TaskError;

/// The reason that ended a run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConsumerFailure {
    /// Another consumer with the same member name took over: of another process, or the mapping's
    /// own next one while a broker was unavailable.
    #[error(
        "the group has given its membership to another consumer of the same identity; the mapping \
         joins again"
    )]
    Fenced,
    /// The group assigns partitions to no member.
    #[error("{0}")]
    Unassigned(String),
    /// The log does not contain the position of a partition: its start offset has to be determined
    /// again.
    #[error("{0}")]
    InvalidPosition(String),
    /// The driver has ended: the host is shutting down.
    #[error("its driver has ended")]
    Stopped,
    /// librdkafka reports a fatal error.
    #[error("its consumer failed ({code}: {why})")]
    Fatal { code: RDKafkaErrorCode, why: String },
    /// The polling thread ended, although nothing had stopped it.
    #[error("its polling thread ended")]
    PollingEnded,
    /// The polling thread panicked.
    #[error("its polling thread panicked")]
    PollingPanicked,
    /// The committing thread panicked.
    #[error("its committing thread ended")]
    CommittingEnded,
    /// A task of the driver ended without a result.
    #[error(transparent)]
    Task(#[from] TaskError),
}

/// Why a run ends whose consumer has read an earlier topic of this name.
pub(super) fn replaced_topic(topic: &str) -> String {
    format!(
        "the topic {topic} was deleted and created again. Another consumer reads the new one from \
         its start"
    )
}
