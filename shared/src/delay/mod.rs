//! The delay queue: entries that are to be handled at a time, by whoever claims them, at least once and never early.
//!
//! An entry passes through here in this order:
//!
//! 1. [`DelayQueue::schedule`] keeps it under its id until it is due (or a script of the gate does, in the step that needs it);
//! 2. [`DelayQueue::claim`] leases what is due to a worker; a lease that runs out makes the entry due again (a worker died);
//! 3. the worker ends it by [`DelayQueue::ack`], gives it back by [`DelayQueue::retry`], or puts it aside by [`DelayQueue::park`];
//!    [`DelayQueue::extend`] buys a slow one time. All four are fenced: they do nothing unless the lease is still the worker's;
//! 4. [`DelayQueue::reschedule`] and [`DelayQueue::cancel`] change it by id at any moment, and end any lease on it.
//!
//! An operator looks at what waits and at what was put aside, and replays or drops that: [`DelayQueue::all_pending`],
//! [`DelayQueue::all_parked`], [`DelayQueue::replay`], [`DelayQueue::drop_parked`].
//!
//! A [`Worker`] does 2 and 3 over and over: sleeps until something is due, runs handlers, extends their leases. The verbs are there for who
//! wants to do it otherwise, on a tick for example.
//!
//! Redis' clock alone decides. Nothing is removed before it is done. A queue has 64 shards, each a hash tag of its own; every verb
//! names its shard ([`shard_of`] an id, where nothing else decides). Each verb is one Lua script of O(log n), in a file under `lua/`; verbs that take many entries send them in
//! batches, all batches in one round trip. Keys: docs/reference/redis.md.

mod inspect;
mod queue;
mod scripts;
mod shard;
mod types;
mod worker;
mod worker_verbs;

pub use crate::link::LinkError as DelayError;
pub use inspect::OnShard;
pub use queue::DelayQueue;
pub(crate) use scripts::FRAGMENTS;
pub use shard::shard_of;
pub use types::{
    Claim, Claimed, Due, Entry, Fenced, MAX_BODY_BYTES, MAX_PARKED, NewEntry, Parked, Pending,
    Replayed, Scheduled, Stats,
};
pub use worker::{Handle, Job, Tally, Worker, WorkerSettings};
