//! Invocations on their way to a process and back.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot;

use super::{Driver, Started, lock};
use crate::clock::epoch_ms;
use crate::faults::Kill;
use crate::ids::new_id;
use crate::instances::machine::{Input, InvocationId, Job, JobResult, ProcessId};
use crate::instances::records::LogLine;
use crate::invocation::{Rejected, Request, Response};

/// What a `next` call of a process receives.
#[derive(Debug)]
pub(in crate::instances) struct Assignment {
    pub(in crate::instances) request: Request,
    pub(in crate::instances) request_id: Arc<str>,
    pub(in crate::instances) invocation: InvocationId,
    pub(in crate::instances) deadline_ms: u64,
}

/// An accepted invocation.
#[derive(Debug)]
pub(super) struct PendingInvocation {
    request_id: Arc<str>,
    /// `None` once it is delivered.
    request: Option<Request>,
    pub(super) reply: oneshot::Sender<JobResult>,
}

/// A caller that waits for an answer.
struct Caller {
    driver: Arc<Driver>,
    function: usize,
    /// `None` once it has the answer.
    invocation: Option<InvocationId>,
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Some(id) = self.invocation.take() {
            self.driver.apply(Input::GivenUp(self.function, id));
        }
    }
}

impl Driver {
    /// Runs one invocation to its end. `queue_at_limit`: at the limit it waits; false: it is
    /// throttled.
    pub(in crate::instances) async fn invoke(
        self: &Arc<Self>,
        function: usize,
        mut request: Request,
        queue_at_limit: bool,
        kill: Option<Kill>,
    ) -> Result<Response, Rejected> {
        let id = InvocationId::from(new_id());
        let request_id = request.request_id.take().unwrap_or_else(new_id);
        let in_log = Arc::<str>::from(request_id.as_str());
        let job = Job {
            id: id.clone(),
            request_id: in_log.clone(),
            trigger: request.trigger.clone(),
            records: request.records,
            kill,
            queue_at_limit,
            start_by: request.start_by,
        };
        let (reply, answer) = oneshot::channel();
        let accepted = PendingInvocation {
            request_id: in_log,
            request: Some(request),
            reply,
        };
        lock(&self.invocations).insert(id.clone(), accepted);
        let mut caller = Caller {
            driver: self.clone(),
            function,
            invocation: Some(id),
        };
        self.apply(Input::Submit(function, job));
        let answer = answer.await;
        caller.invocation = None;
        // the channel closes without an answer only where the caller has gone
        let outcome = answer.unwrap_or(Err(Rejected::ShuttingDown))?;
        Ok(Response {
            request_id,
            outcome,
        })
    }

    pub(super) fn deliver(self: &Arc<Self>, id: ProcessId, invocation: InvocationId) {
        let runner = self.runner(id.function);
        let Some(mut accepted) = lock(&self.invocations).remove(&invocation) else {
            return;
        };
        if let Some(request) = accepted.request.take() {
            let begun = request.begun.clone();
            let undelivered = self.send(
                id,
                Assignment {
                    request,
                    request_id: accepted.request_id.clone(),
                    invocation: invocation.clone(),
                    deadline_ms: epoch_ms(SystemTime::now() + runner.function.timeout),
                },
            );
            if let Some(assignment) = undelivered {
                accepted.request = Some(assignment.request);
                self.change(|machine, now| {
                    let mut started = lock(&self.started);
                    let open = started.get_mut(&id).map_or(0, Started::open_calls);
                    machine.step(now, Input::Undelivered(id, invocation.clone(), open));
                });
            } else {
                if let Some(begun) = begun {
                    begun.notify_one();
                }
                let log = &runner.log;
                log.write(Some(&accepted.request_id), LogLine::Start);
            }
        }
        // no reply is executed before this action has ended
        lock(&self.invocations).insert(invocation, accepted);
    }

    /// Sends to a call whose client waits. Returns the assignment if there is none.
    fn send(&self, id: ProcessId, mut assignment: Assignment) -> Option<Assignment> {
        loop {
            let call = lock(&self.started)
                .get_mut(&id)
                .and_then(|started| started.calls.pop());
            let Some(call) = call else {
                return Some(assignment);
            };
            assignment = call.send(assignment).err()?;
        }
    }
}
