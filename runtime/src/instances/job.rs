//! An accepted invocation on its way to a process and back.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::faults::Kill;
use crate::invocation::{Outcome, Rejected};

/// How an accepted invocation ended; an error where it never began.
pub(super) type JobResult = Result<Outcome, Rejected>;

/// An accepted invocation.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) request_id: Arc<str>,
    pub(super) payload: Bytes,
    pub(super) trace_id: String,
    /// JSON, in ASCII.
    pub(super) client_context: Option<Arc<str>>,
    /// Version or alias that the caller named.
    pub(super) qualifier: Option<String>,
    pub(super) records: usize,
    pub(super) kill: Option<Kill>,
    /// At the limit the job is queued; false: it is throttled.
    pub(super) queue_at_limit: bool,
    /// Notified when an instance takes the job.
    pub(super) begun: Option<Arc<Notify>>,
    pub(super) reply: oneshot::Sender<JobResult>,
}

/// What a waiting `next` call of a process receives.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) request_id: Arc<str>,
    pub(super) invocation_id: String,
    pub(super) deadline_ms: u64,
    pub(super) trace_id: String,
    pub(super) client_context: Option<Arc<str>>,
    pub(super) qualifier: Option<String>,
    pub(super) payload: Bytes,
}
