//! One invocation as every trigger sees it: a payload in, an answer or an error out.
//!
//! Triggers (Kafka and SQS mappings, schedules, HTTP, the command line) know only [`Invoke`]; the instance pool implements it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

/// What a trigger hands over.
#[derive(Debug, Clone)]
pub struct Request {
    /// Function's logical id.
    pub function: String,
    /// The event, JSON, as the function receives it. 6 MB at most ([`MAX_PAYLOAD`]).
    pub payload: Bytes,
    /// Request id that the function sees and the logs carry; a new one is made if absent.
    pub request_id: Option<String>,
    /// `X-Amzn-Trace-Id` to pass on; a new one is made if absent.
    pub trace_id: Option<String>,
    /// Records in the event when a mapping made it, else 0. Shown in the status; the function never sees it.
    pub records: usize,
    /// The function must begin by then. One that still waits for an instance is taken back and answered
    /// [`Rejected::Throttled`]; `None`: it waits as long as it takes.
    pub start_by: Option<Instant>,
}

impl Request {
    /// A request for one event that is not a batch.
    pub fn new(function: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self { function: function.into(), payload: payload.into(), request_id: None, trace_id: None, records: 0, start_by: None }
    }
}

/// Most bytes of a synchronous event or answer (Lambda quota "Invocation payload", 6 MB).
pub const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// Request id that the function saw and the logs carry.
    pub request_id: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an invocation that reached the function ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function's answer, unread.
    Answer(Bytes),
    /// The function failed: it reported an error, timed out, crashed or answered too much.
    Error(FunctionError),
}

/// An error as Lambda would report it in the invocation's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// `errorType`, e.g. `Sandbox.Timedout`, `Runtime.ExitError`, or the function's own.
    pub error_type: String,
    /// `errorMessage`, as Lambda words it.
    pub message: String,
    /// The whole body (JSON) that a synchronous caller receives.
    pub body: Bytes,
}

impl FunctionError {
    /// The function did not fail: the host ended it, while it drained or by a fault of its own.
    pub fn is_of_the_hosts_end(&self) -> bool {
        [ENDED_BY_HOST, BROKEN_OFF].iter().any(|end| self.message.ends_with(end))
    }
}

/// How a message ends that tells of a process that the host lost.
pub(crate) const BROKEN_OFF: &str = "signal: killed (a fault of the host)";

/// How a message ends that tells of a process that the host ended.
pub(crate) const ENDED_BY_HOST: &str = "signal: killed (the host shut down)";

/// Why an invocation did not reach the function at all. The caller still owns the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The template has no such function, or this host cannot run it.
    #[error("no function {0} runs here")]
    NotFound(String),
    /// All instances are busy and no more may start. Try again later. One that waits for an instance meets this only
    /// where the limit is 0, or [`Request::start_by`] is over.
    #[error("function {0} is at its concurrency limit")]
    Throttled(String),
    /// The host is short of open files, memory or processes, and could start no process for it. Try again later: it says
    /// nothing of the function.
    #[error("no process of function {function} can be started: {why}")]
    NoCapacity {
        /// Logical id.
        function: String,
        /// What is short.
        why: String,
    },
    /// The event is larger than [`MAX_PAYLOAD`]. A mapping's batches are exempt: their only too large event is a single
    /// record that nothing can make smaller.
    #[error("the event has {0} bytes; an invocation takes at most 6 MB")]
    TooLarge(usize),
    /// The host is draining.
    #[error("the host is shutting down")]
    ShuttingDown,
}

/// Something that runs functions.
#[async_trait::async_trait]
pub trait Invoke: Send + Sync + 'static {
    /// Runs one invocation to its end.
    ///
    /// `wait_for_slot`: true queues for a free instance (pollers, which hold their records back); false answers
    /// [`Rejected::Throttled`] at once (HTTP, synchronous callers). A limit of 0 is answered so in either case.
    async fn invoke(&self, request: Request, wait_for_slot: bool) -> Result<Response, Rejected>;
}

/// Shared handle to the pool.
pub type Invoker = Arc<dyn Invoke>;
