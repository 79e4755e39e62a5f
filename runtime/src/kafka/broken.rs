//! Why a mapping needs another consumer.

use std::fmt;

/// Why a consumer cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its membership was taken over: by another process of the same name, or by its own next one while a broker was away.
    Fenced,
    /// The group leaves partitions to no member.
    Unassigned(String),
    /// The log does not have the position of one of its partitions: where that is read has to be settled again.
    Astray(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => {
                f.write_str("the group has given its membership to another consumer of the same identity; it joins again")
            }
            Self::Unassigned(why) | Self::Astray(why) | Self::Other(why) => f.write_str(why),
        }
    }
}
