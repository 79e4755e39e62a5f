//! One invocation as every trigger sees it: a payload in, an answer or an error out.
//!
//! Triggers (Kafka and SQS mappings, schedules, HTTP, the command line) know only [`Invoke`]; the instance pool implements it.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::Notify;

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
    /// `X-Amz-Client-Context` of a synchronous caller: a JSON object, in ASCII. The function gets it as
    /// `Lambda-Runtime-Client-Context`.
    pub client_context: Option<String>,
    /// Version or alias that the caller named; the function finds it at the end of its ARN. `None`: the caller named none.
    pub qualifier: Option<String>,
    /// Records in the event when a mapping made it, else 0. Shown in the status; the function never sees it.
    pub records: usize,
    /// An instance must be there, or be starting, by then. One that still waits for a busy instance is taken back and answered
    /// [`Rejected::Throttled`]; one whose instance initialises is not. `None`: it waits as long as it takes.
    pub start_by: Option<Instant>,
    /// Notified once when an instance takes the event over: its initialisation is over by then.
    pub begun: Option<Arc<Notify>>,
}

impl Request {
    /// A request for one event that is not a batch.
    pub fn new(function: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            function: function.into(),
            payload: payload.into(),
            request_id: None,
            trace_id: None,
            client_context: None,
            qualifier: None,
            records: 0,
            start_by: None,
            begun: None,
        }
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
    /// The host ended the invocation: it drained, or lost the process by a fault of its own. The function did not fail, so this uses up
    /// no retry. The error is what a synchronous caller receives.
    Interrupted(FunctionError),
}

impl Outcome {
    /// What a synchronous caller receives instead of an answer.
    pub fn error(&self) -> Option<&FunctionError> {
        match self {
            Self::Answer(_) => None,
            Self::Error(error) | Self::Interrupted(error) => Some(error),
        }
    }
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

/// Why an invocation did not reach the function at all. The caller still owns the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The template has no such function, or this host cannot run it.
    #[error("no function {0} runs here")]
    NotFound(String),
    /// All instances are busy and no more may start. Try again later. One that waits for an instance meets this only
    /// where the limit is 0, or [`Request::start_by`] is over.
    #[error("{0}")]
    Throttled(ConcurrencyLimit),
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

/// The limit that an invocation met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyLimit {
    /// Function's logical id.
    pub function: String,
    /// Processes of it at one time at most.
    pub limit: usize,
    /// The template's `ReservedConcurrentExecutions` says so; else usher.toml, a setting or the default does.
    pub reserved: bool,
}

impl fmt::Display for ConcurrencyLimit {
    /// The limit, who says so, and how to change it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            limit,
            reserved,
        } = self;
        let instances = if *limit == 1 { "instance" } else { "instances" };
        match (limit, reserved) {
            (0, _) => write!(
                f,
                "{function} may not run: its ReservedConcurrentExecutions is 0. Raise it, or take it away"
            ),
            (_, true) => write!(
                f,
                "{function} is at its limit of {limit} {instances} (ReservedConcurrentExecutions). Raise that, or say usher set \
                 {function} concurrency=N"
            ),
            (_, false) => write!(
                f,
                "{function} is at its limit of {limit} {instances} at one time. Raise it with usher set {function} \
                 concurrency=N, `concurrency` in usher.toml (all functions) or ReservedConcurrentExecutions in the template"
            ),
        }
    }
}

/// The error of an invocation, or why it did not begin. `None`: the function answered.
pub(crate) fn error_text(result: &Result<Response, Rejected>) -> Option<String> {
    match result {
        Ok(Response {
            outcome: Outcome::Answer(_),
            ..
        }) => None,
        Ok(Response {
            outcome: Outcome::Error(error) | Outcome::Interrupted(error),
            ..
        }) => Some(format!("{}: {}", error.error_type, error.message)),
        Err(rejected) => Some(rejected.to_string()),
    }
}

/// Something that runs functions.
#[async_trait::async_trait]
pub trait Invoke: Send + Sync + 'static {
    /// Runs one invocation to its end.
    ///
    /// `wait_for_slot`: true queues for a free instance (pollers, which hold their records back); false answers
    /// [`Rejected::Throttled`] at once (HTTP, synchronous callers). A limit of 0 is answered so in either case.
    async fn invoke(&self, request: Request, wait_for_slot: bool) -> Result<Response, Rejected>;

    /// Waits until an event of this function, if it came now, would be begun soon: an instance is free or may be started, or one was
    /// freed meanwhile and others may wait for it as well. A source that counts what it hands out asks this before it takes an event.
    async fn ready(&self, _function: &str) {}
}

/// Shared handle to the pool.
pub type Invoker = Arc<dyn Invoke>;
