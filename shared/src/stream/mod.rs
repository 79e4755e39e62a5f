//! Redis Streams.
//!
//! An entry passes through here in this order:
//!
//! 1. [`Publisher`] adds it and trims the stream, never what a group still needs; a stream that grows all the same raises an alarm;
//! 2. [`GroupReader`]: each entry goes to one consumer of the group, which acknowledges it when it is done, holds on to it, or sets
//!    it aside; what a dead consumer held is taken over, and what was delivered too often is set aside;
//! 3. [`BroadcastReader`]: every instance hears every entry, from the moment it opened, and is told of any gap.
//!
//! What it promises: nothing a group has not acknowledged is trimmed; an entry of a group comes again until it is acknowledged or set
//! aside; a broadcast reader that may have missed an entry is told so. Each verb is one Lua script in a file under `lua/`; a stream and what belongs to it share a slot. Needs Redis 7.0. Keys: docs/reference/redis.md.

mod broadcast;
mod entry;
mod group;
mod group_verbs;
mod publisher;
mod scripts;

pub use crate::link::LinkError as StreamError;
pub use broadcast::{BroadcastReader, Gap, Heard};
pub use entry::{Entry, EntryId};
pub use group::{Delivery, GroupCounts, GroupReader, GroupSettings};
pub use group_verbs::GroupState;
pub use publisher::{Bounds, Published, Publisher};

/// The field of an entry that carries the W3C trace context of what caused it, if anything does.
pub const TRACE_FIELD: &str = "traceparent";
