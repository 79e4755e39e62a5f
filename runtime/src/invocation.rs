//! One invocation: a payload in, an answer or an error out.
//!
//! Sources of events (Kafka and SQS mappings, schedules, HTTP, the command line) depend on
//! [`Invoke`] only, which the instance pool implements.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use serde::{Serialize, Serializer};
use tokio::sync::Notify;

/// What caused an invocation, for logs and the live page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trigger {
    /// A caller of the Invoke API, or the command line.
    #[default]
    Invoke,
    /// The queue of asynchronous events.
    Event,
    /// A mapping: kind and logical id.
    Mapping(&'static str, Arc<str>),
    /// A request to an API, which is logged as such.
    Http,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invoke => f.write_str("invoke"),
            Self::Event => f.write_str("event"),
            Self::Mapping(kind, id) => write!(f, "{kind} {id}"),
            Self::Http => f.write_str("http"),
        }
    }
}

impl Serialize for Trigger {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An event for a function.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Function's logical id.
    pub function: String,
    /// The event, JSON, as the function receives it. 6 MB at most ([`MAX_PAYLOAD`]).
    pub payload: Bytes,
    /// Request id in the function's context and in the logs; `None`: a new one.
    pub request_id: Option<String>,
    /// `X-Amzn-Trace-Id`; `None`: a new one.
    pub trace_id: Option<String>,
    /// `X-Amz-Client-Context` of a synchronous caller: a JSON object, in ASCII. The function
    /// receives it as `Lambda-Runtime-Client-Context`.
    pub client_context: Option<String>,
    /// Version or alias that the caller named, if any; the function receives it at the end of its
    /// ARN.
    pub qualifier: Option<String>,
    /// What caused it.
    pub trigger: Trigger,
    /// Records of a mapping's batch, else 0. For the status only.
    pub records: usize,
    /// An instance must have the event, or be starting for it, by then; else it is
    /// [`Rejected::Throttled`]. `None`: it waits without limit.
    pub start_by: Option<Instant>,
    /// Notified once when an initialised instance takes the event.
    pub begun: Option<Arc<Notify>>,
}

impl Request {
    /// A request for one event that is not a batch.
    pub fn new(function: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            function: function.into(),
            payload: payload.into(),
            ..Self::default()
        }
    }
}

/// Bytes of a synchronous event or answer at most (Lambda quota "Invocation payload", 6 MB).
pub const MAX_PAYLOAD: usize = 6 * 1024 * 1024;

/// The result of an invocation.
#[derive(Debug, Clone)]
pub struct Response {
    /// Request id in the function's context and in the logs.
    pub request_id: String,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an invocation that reached the function ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The function's answer, not parsed.
    Answer(Bytes),
    /// The function failed: it reported an error, timed out, crashed, or its answer is too large.
    Error(FunctionError),
    /// The host ended the invocation: it drained, or lost the process by a fault of its own. The
    /// function did not fail, so this counts as no retry. A synchronous caller receives the error.
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

/// An error as Lambda reports it in the invocation's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionError {
    /// `errorType`, e.g. `Sandbox.Timedout`, `Runtime.ExitError`, or the function's own.
    pub error_type: String,
    /// `errorMessage`.
    pub message: String,
    /// The whole body (JSON) that a synchronous caller receives.
    pub body: Bytes,
}

/// Why an invocation did not reach the function. The caller still owns the event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The template has no such function, or this host cannot run it.
    #[error("no function {0} runs here")]
    NotFound(String),
    /// All instances are busy and no more may start; the caller may retry later. An event that
    /// waits for an instance is throttled only where the limit is 0, or [`Request::start_by`] has
    /// passed.
    #[error("{0}")]
    Throttled(ConcurrencyLimit),
    /// The host is short of open files, memory or processes, and could not start a process. The
    /// caller may retry later.
    #[error("no process of function {function} can be started: {why}")]
    NoCapacity {
        /// Logical id.
        function: String,
        /// What is short.
        why: String,
    },
    /// The event is larger than [`MAX_PAYLOAD`]. A mapping's batches are exempt: one that is too
    /// large is a single record, which cannot be split.
    #[error("the event has {0} bytes; an invocation takes at most 6 MB")]
    TooLarge(usize),
    /// The host is draining.
    #[error("the host is shutting down")]
    ShuttingDown,
}

/// The limit that throttled an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyLimit {
    /// Function's logical id.
    pub function: String,
    /// Processes of it at one time at most.
    pub limit: usize,
    /// Invocations that each of them takes at one time.
    pub per_instance: usize,
    /// The limit is `ReservedConcurrentExecutions` of the template; else of usher.toml, a setting
    /// or the default.
    pub reserved: bool,
}

impl fmt::Display for ConcurrencyLimit {
    /// The limit, its source, and how to change it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            function,
            limit,
            per_instance,
            reserved,
        } = self;
        let instances = if *limit == 1 { "instance" } else { "instances" };
        match (limit, reserved) {
            (0, true) => write!(
                f,
                "{function} may not run: its ReservedConcurrentExecutions is 0. Raise it, or take \
                 it away"
            ),
            (0, false) => write!(
                f,
                "{function} may not run: its MaxExecutionEnvironments is 0. Raise it, or take it \
                 away"
            ),
            _ if *per_instance > 1 => write!(
                f,
                "{function} is at its limit of {limit} {instances} with {per_instance} \
                 invocations each. Raise it with usher set {function} concurrency=N, or by \
                 instances and max-concurrency under [functions.{function}] in usher.toml"
            ),
            (_, true) => write!(
                f,
                "{function} is at its limit of {limit} {instances} \
                 (ReservedConcurrentExecutions). Raise that, or say usher set {function} \
                 concurrency=N"
            ),
            (_, false) => write!(
                f,
                "{function} is at its limit of {limit} {instances} at one time. Raise it with \
                 usher set {function} concurrency=N, `concurrency` in usher.toml (all functions) \
                 or ReservedConcurrentExecutions in the template"
            ),
        }
    }
}

/// The error of an invocation, or why it did not start. `None`: the function answered.
pub(crate) fn error_text(result: &Result<Response, Rejected>) -> Option<String> {
    match result {
        Ok(response) => {
            let error = response.outcome.error()?;
            Some(format!("{}: {}", error.error_type, error.message))
        }
        Err(rejected) => Some(rejected.to_string()),
    }
}

/// Runs functions.
#[async_trait::async_trait]
pub trait Invoke: Send + Sync + 'static {
    /// Runs one invocation to its end.
    ///
    /// `wait_for_slot`: true waits for an instance (pollers, which keep their records); false
    /// returns [`Rejected::Throttled`] where all are busy (HTTP, synchronous callers). With a limit
    /// of 0 both do.
    async fn invoke(&self, request: Request, wait_for_slot: bool) -> Result<Response, Rejected>;

    /// Waits until an instance of the function is free or may be started, or until one became free,
    /// which another event may take first. A source calls this before it takes an event.
    async fn ready(&self, _function: &str) {}
}

/// A shared handle of the pool.
pub type Invoker = Arc<dyn Invoke>;
