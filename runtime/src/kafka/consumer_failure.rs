//! Why a mapping needs a new consumer.

use std::fmt;

/// The reason that ended a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ConsumerFailure {
    /// Another consumer with the same member name took over: of another process, or the mapping's
    /// own next one while a broker was unavailable.
    Fenced,
    /// The group assigns partitions to no member.
    Unassigned(String),
    /// The log does not contain the position of a partition: its start offset has to be determined
    /// again.
    InvalidPosition(String),
    /// The driver has ended: the host is shutting down.
    Stopped,
    /// Any other error.
    Other(String),
}

impl fmt::Display for ConsumerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str(
                "the group has given its membership to another consumer of the same identity; the \
                 mapping joins again",
            ),
            Self::Stopped => f.write_str("its driver has ended"),
            Self::Unassigned(why) | Self::InvalidPosition(why) | Self::Other(why) => {
                f.write_str(why)
            }
        }
    }
}
