//! A worker: handles the entries of a queue when they are due, until it is stopped.
//!
//! Decisions stand in files without I/O; [`event_loop`] applies them:
//!
//! 1. [`due_index`] holds the next due time of each shard, [`redis_clock`] estimates
//!    Redis' time.
//! 2. The worker sleeps until then ([`timer`]). [`notifications`] wake it when an earlier entry is
//!    scheduled. A blocking command would not do: Redis checks their timeouts up to 100 ms late.
//! 3. It claims no more entries than it has free slots, so that no claimed entry waits for a slot
//!    while its lease runs. While many entries are due, a claim takes many of a few shards, the
//!    earliest first, instead of a few of each shard.
//! 4. Handlers run concurrently; the leases of slow ones are extended. A handler whose lease is
//!    lost is stopped at its next `await`.
//! 5. [`disposition`] turns a handler's outcome into an acknowledgement, a retry or a park;
//!    [`completions`] applies many of them at a time, fenced by the token of the lease.
//! 6. Once stopped, it claims nothing more and waits for running handlers for a bounded time.
//!    Entries of handlers that still run are due again when their leases end.

mod completions;
mod disposition;
mod due_index;
mod event_loop;
mod job;
mod notifications;
mod redis_clock;
mod results;
mod settings;
mod timer;

use std::sync::Arc;

pub use event_loop::WorkerCounts;
pub use job::{Handler, Job};
pub use settings::WorkerSettings;

use super::{DelayQueue, InvalidArgument};

/// Handles the entries of one queue. Any number of workers in any number of processes may share it.
#[derive(Debug)]
pub struct Worker<H> {
    queue: DelayQueue,
    settings: WorkerSettings,
    handler: Arc<H>,
}

impl<H: Handler> Worker<H> {
    /// A worker; [`WorkerSettings`] documents the bounds.
    pub fn new(
        queue: DelayQueue,
        settings: WorkerSettings,
        handler: H,
    ) -> Result<Self, InvalidArgument> {
        Ok(Self {
            queue,
            settings: settings.checked()?,
            handler: Arc::new(handler),
        })
    }

    /// Works until `stop` resolves, then drains. While Redis is down it retries.
    ///
    /// Dropping this future stops the handlers at their next `await`; their entries are due again
    /// when their leases end.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> WorkerCounts {
        event_loop::run(self, stop).await
    }
}
