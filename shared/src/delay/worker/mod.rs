//! A worker: handles the entries of a queue when they are due, until it is told to stop.
//!
//! It passes through these steps, each decided by a file without I/O, carried out by [`run`]:
//!
//! 1. [`agenda`]: which shards have something due, when the next one has. [`clock`] says what time Redis has by now.
//! 2. It sleeps until then ([`alarm`], to a fraction of a millisecond), and is woken when something earlier is scheduled, by whatever
//!    process ([`wakes`]). Not by a blocking command's timeout: Redis looks at those at `hz`, up to 100 ms late.
//! 3. It claims in batches: never more than it has room for, so that nothing claimed waits for its turn while its lease runs out.
//! 4. Handlers run side by side; the leases of slow ones are extended. Who has lost a lease is stopped at its next `await`.
//! 5. [`verdict`]: what a handler says becomes an acknowledgement, a retry after a pause, or a place among the parked. All three are
//!    fenced by the lease's token, and carried out many at a time.
//! 6. Told to stop, it claims nothing more and waits for what runs, for a bounded time. What it leaves is another worker's when its
//!    lease ends.
//!
//! At least once: a handler whose effects are done and whose acknowledgement is lost runs again. So handlers must be idempotent.
//! Never early: an entry is handed out only after Redis' clock has passed its due time.

mod agenda;
mod alarm;
mod clock;
mod ends;
mod job;
mod run;
mod settings;
mod verdict;
mod wakes;

use std::sync::Arc;

pub use job::{Handle, Job};
pub use run::Tally;
pub use settings::WorkerSettings;

use super::DelayQueue;
use crate::message::BadValue;

/// Handles the entries of one queue. Any number of them, in any number of processes, share a queue.
#[derive(Debug)]
pub struct Worker<H> {
    queue: DelayQueue,
    settings: WorkerSettings,
    handler: Arc<H>,
}

impl<H: Handle> Worker<H> {
    /// Refuses settings that cannot work.
    pub fn new(queue: DelayQueue, settings: WorkerSettings, handler: H) -> Result<Self, BadValue> {
        Ok(Self {
            queue,
            settings: settings.checked()?,
            handler: Arc::new(handler),
        })
    }

    /// Works until `stop` ends, then drains. A Redis that is away is waited for.
    ///
    /// Dropping this future is a crash: handlers end at their next `await`, and what was claimed is due again when its lease ends.
    pub async fn run(&self, stop: impl Future<Output = ()>) -> Tally {
        run::run(
            self.queue.clone(),
            self.settings.clone(),
            self.handler.clone(),
            stop,
        )
        .await
    }
}
