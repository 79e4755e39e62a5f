//! The input and the interface of handlers.

use crate::{Outcome, Shard};

/// An entry that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Where it is stored.
    pub shard: Shard,
    /// Its id.
    pub id: String,
    /// Its body.
    pub body: String,
    /// From 1.
    pub attempt: u32,
    /// When it was due, milliseconds since 1970 by Redis' clock; after a retry the new due time.
    pub due_ms: u64,
}

/// Handles one entry. It may get the same entry again, at any time and in another process: it must
/// be idempotent.
///
/// Its future is dropped at an `await` when the entry was cancelled, rescheduled, or claimed by
/// another worker. A panic counts as [`Outcome::Retry`].
pub trait Handler: Send + Sync + 'static {
    /// Returns what happens to the entry.
    fn handle(&self, job: Job) -> impl Future<Output = Outcome> + Send;
}

impl<F, R> Handler for F
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send,
{
    fn handle(&self, job: Job) -> impl Future<Output = Outcome> + Send {
        self(job)
    }
}
