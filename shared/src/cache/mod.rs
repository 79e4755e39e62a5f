//! Caches in front of the programs: never older than what has been heard of.
//!
//! A read passes through here in this order ([`ProgramCache::find`]): memory, [`SharedCache`] in Redis, Postgres; and what was found is
//! kept on the way back. A change passes the other way:
//!
//! ```text
//! Postgres + outbox -> program-changed -> bridge -> SQS -> cache-invalidator:
//!     floor of the shared cache raised, older body dropped -> program-evicted -> every instance's follower -> its memory
//! ```
//!
//! What it promises:
//!
//! - whoever loaded an old version before a change never puts it back: the shared cache refuses it by floor and lease, memory by the
//!   floor it heard of and by the epoch of the loading ([`Rules`]);
//! - memory is served only while the instance can have missed nothing: since its position was fixed, no gap, and the last read recent;
//! - every cache being away costs reads of Postgres, and nothing else;
//! - everything kept ends by its time to live, should all of the above be switched off.
//!
//! Programs are never deleted (a sale that is over is stopped), so versions never start again.

mod announcer;
mod body;
mod follower;
mod local;
mod moment;
mod programs;
mod rules;
mod scripts;
mod settings;
mod shared;

#[cfg(test)]
mod rules_tests;

pub use announcer::{AnnounceError, Announcer};
pub use follower::follow;
pub use local::Local;
pub use moment::Moment;
pub use programs::{Found, Keep, ProgramCache, Truth};
pub use rules::{Hearing, Rules, Stamp, Ticket};
pub use settings::{CacheSettings, ProgramStreams};
pub use shared::{Lease, Looked, Put, Raised, SharedCache};
