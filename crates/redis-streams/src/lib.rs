#![doc = include_str!("../README.md")]

mod broadcast;
mod entry;
mod group;
mod publisher;
mod scripts;

pub use broadcast::{BroadcastReader, Gap, Received};
pub use entry::{Entry, EntryId};
pub use group::{Delivery, GroupCounts, GroupReader, GroupSettings, GroupState};
pub use publisher::{Bounds, Published, Publisher};
pub use redis_link::{Link, LinkError};

/// An argument out of its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct InvalidArgument {
    /// What was refused, e.g. `entry id`.
    pub what: &'static str,
    /// What is allowed.
    pub rule: &'static str,
}
