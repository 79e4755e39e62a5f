#![doc = include_str!("../README.md")]

mod broadcast;
mod entry;
mod group;
mod publisher;
mod scripts;

pub use broadcast::{BroadcastReader, Gap, Received};
pub use entry::{Entry, EntryId};
pub use group::{Delivery, GroupCounts, GroupReader, GroupSettings, GroupState, Hold};
pub use publisher::{Bounds, Published, Publisher};
pub use redis_link::{InvalidArgument, Link, LinkError, LinkOptions, SettingNames, TlsMaterial};
