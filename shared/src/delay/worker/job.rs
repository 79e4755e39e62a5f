//! What a handler is given, and what it must be.

use crate::message::Shard;
use lambda_batch::Outcome;

/// An entry that is due, and the handler's to deal with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Where it is kept.
    pub shard: Shard,
    /// Its identity.
    pub id: String,
    /// What was scheduled with it.
    pub body: String,
    /// 1 the first time.
    pub attempt: u32,
    /// When it was due, milliseconds since 1970 by Redis' clock; after a retry the time the retry set.
    pub due_ms: u64,
}

/// Deals with one entry. It may be asked about the same entry again, at any time and by another process: it must be idempotent.
///
/// It may be dropped at any `await`, when its entry was cancelled, rescheduled, or taken over by another worker. One that panics has
/// asked for a retry.
pub trait Handle: Send + Sync + 'static {
    /// Says what is to become of the entry.
    fn handle(&self, job: Job) -> impl Future<Output = Outcome> + Send;
}

impl<F, R> Handle for F
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send,
{
    fn handle(&self, job: Job) -> impl Future<Output = Outcome> + Send {
        self(job)
    }
}
