//! Inputs and actions of the machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::faults::Kill;
use crate::instances::failure::End;
use crate::instances::records::LogLine;
use crate::invocation::{FunctionError, Outcome, Rejected, Trigger};
use crate::observation::Ended;

/// How an accepted invocation ended; an error where it never began.
pub(in crate::instances) type JobResult = Result<Outcome, Rejected>;

/// Identifies an invocation, unlike the request id, which a repeated event keeps: the UUID that a
/// process receives as `Lambda-Runtime-Invocation-Id`.
pub(in crate::instances) type InvocationId = Arc<str>;

/// A process, through all starts of its executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::instances) struct ProcessId {
    /// Index of the function.
    pub(in crate::instances) function: usize,
    /// Number within the function, from 1.
    pub(in crate::instances) number: u64,
}

/// An accepted invocation.
#[derive(Debug)]
pub(in crate::instances) struct Job {
    pub(in crate::instances) id: InvocationId,
    pub(in crate::instances) request_id: Arc<str>,
    pub(in crate::instances) trigger: Trigger,
    pub(in crate::instances) records: usize,
    pub(in crate::instances) kill: Option<Kill>,
    /// At the limit the job is queued; false: it is throttled.
    pub(in crate::instances) queue_at_limit: bool,
    /// A process has the job, or starts for it, by then; else it is throttled.
    pub(in crate::instances) start_by: Option<Instant>,
}

/// An event of the world outside. Functions are named by index.
#[derive(Debug)]
pub(in crate::instances) enum Input {
    Submit(usize, Job),
    /// The caller no longer waits for the answer.
    GivenUp(usize, InvocationId),
    /// The executable runs, with this process id.
    Started(ProcessId, u32),
    /// The runtime requests an event. So many of its calls wait now; clients of others are gone.
    NextCalled(ProcessId, usize),
    /// The clients of the calls of the process were gone. So many calls wait now: those that arrived
    /// meanwhile.
    Undelivered(ProcessId, InvocationId, usize),
    /// The function answered.
    Responded(ProcessId, InvocationId, Outcome),
    /// The extension with this identifier requests an event.
    ExtensionReady(ProcessId, String),
    /// The function reports why it cannot start.
    InitFailed(ProcessId, FunctionError),
    /// An extension reports why it cannot continue.
    ExtensionFailed(ProcessId, FunctionError),
    /// End the process, busy or not.
    Stop(ProcessId),
    /// The process has ended or could not start. It has no child any more.
    Exited(ProcessId, End),
    /// The concurrency limit changed.
    Limit(usize, usize),
    /// Accept nothing more; end what runs at this time.
    Drain(Instant),
    /// Time passed.
    Tick,
}

/// What the driver must do, in this order.
#[derive(Debug)]
pub(in crate::instances) enum Action {
    /// Start the process. [`Input::Started`] may follow, [`Input::Exited`] does.
    Start(ProcessId),
    /// Answer a `next` call of the process with the invocation, or return [`Input::Undelivered`].
    Deliver(ProcessId, InvocationId),
    Freeze(ProcessId),
    Thaw(ProcessId),
    /// Request the end of a started process, which may clean up.
    Terminate(ProcessId),
    Kill(ProcessId),
    /// The process is forgotten.
    Ended(ProcessId),
    /// Answer the invocation.
    Reply(InvocationId, JobResult),
    /// Report the end of an invocation to the observer of the function.
    Observe(usize, Ended),
    /// The invocation needs no answer.
    Forget(InvocationId),
    /// Write a line of the function's log, for a request.
    Log(usize, Option<Arc<str>>, LogLine),
    /// A process of the function may have become available.
    Freed(usize),
    /// Report why a process cannot be started; `true`: the host tried, and raises an alarm.
    Shortage(usize, String, bool),
    /// Report that the host lost a process, and in what time the next may start.
    Fault(usize, String, Duration),
    /// Report that processes start again after [`Action::Fault`].
    Recovered(usize),
}
