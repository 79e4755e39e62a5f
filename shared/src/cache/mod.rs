//! Caches of programs that never serve a version older than the last change received.
//!
//! [`ProgramCache::find`] reads memory, then [`SharedCache`] in Redis, then Postgres, and stores
//! what it found on the way back. A change takes the opposite way:
//!
//! ```text
//! Postgres + outbox -> program-changed -> bridge -> SQS -> cache-invalidator:
//!     raises the floor of the shared cache, drops an older body
//!     -> program-evicted -> the follower of every instance -> its memory
//! ```
//!
//! Promises:
//!
//! - A reader that loaded an old version before a change cannot store it after the change: the
//!   shared cache refuses it by floor and lease, memory by the floor and by the epoch of the load
//!   ([`Rules`]).
//! - Memory is served only while the instance cannot have missed a change: its position is fixed,
//!   there was no gap, and the last read is recent.
//! - Without Redis, reads go to Postgres; nothing else changes.
//! - Every stored program has a time to live, in case all of the above fails.
//!
//! Programs are never deleted (a finished sale is stopped), so versions never start again.

mod announcer;
mod body;
mod follower;
mod freshness;
mod local_state;
pub(crate) mod outage;
mod programs;
mod rules;
mod scripts;
mod settings;
mod shared;

#[cfg(test)]
mod rules_tests;

pub use announcer::{AnnounceError, Announcer};
pub use follower::follow;
pub use freshness::DualInstant;
pub use local_state::LocalState;
pub use programs::{Found, ProgramCache, ProgramSource, Retention};
pub use rules::{ChangeFeed, LoadTicket, Rules, Stamp};
pub use settings::{CacheSettings, ProgramStreams};
pub use shared::{PutLease, PutResult, Raised, SharedCache, SharedLookup};
