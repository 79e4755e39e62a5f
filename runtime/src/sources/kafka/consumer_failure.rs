//! Why a mapping needs a new consumer.

/// The reason that ended a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// Any other error.
    #[error("{0}")]
    Other(String),
}
