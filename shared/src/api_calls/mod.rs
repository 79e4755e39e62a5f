//! API calls: the message that storefront sends for each answered request, their sums by minute,
//! and both in Postgres.
//!
//! ```text
//! ApiCall --Minute, Labels (caps)--> Cell (minute, route, status, client)
//!         --Aggregate--> number of calls, time, histogram
//! ```
//!
//! [`message`], the sums and [`files`] are pure; [`store`] (feature `postgres`) adds, searches and
//! deletes rows, and has the manifest of the files.
//!
//! Promises:
//! - Calls may be added in any order and in any batches: the sums are the same.
//! - A minute has at most as many routes and clients as [`Caps`] allows, and [`OTHER`] for the
//!   rest, so that new names cannot create rows without limit. Which names are kept depends on the
//!   order of the calls; the sums of a minute do not.

mod aggregate;
mod files;
mod labels;
mod message;
mod roll_up;
#[cfg(feature = "postgres")]
mod store;

#[cfg(test)]
mod message_tests;
#[cfg(test)]
mod roll_up_tests;

pub use aggregate::{Aggregate, BUCKET_BOUNDS_US, BUCKETS};
pub use files::{CallFile, CallGroup, CallOrigin, CallRange, Hour, files_to_merge};
pub use labels::{Caps, Labels, OTHER};
pub use message::{ApiCall, InvalidCall};
pub use roll_up::{Cell, Minute, RollUp, counted_at_ms};
#[cfg(feature = "postgres")]
pub use store::{
    CallFiles, CallFilter, CallPosition, CallRow, CollectedBatch, DeletedCalls, GroupBy, GroupSums,
    Manifest, ManifestChange, MergeGroup, MergeRules, SumFilter, TimedCall,
};
