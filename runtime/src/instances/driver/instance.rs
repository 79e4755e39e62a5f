//! One process: the task that starts it, serves its Runtime API, waits for its end and cleans up
//! after it; and what its Runtime API uses.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::invocations::Assignment;
use super::{Driver, Started, lock};
use crate::descriptors::is_shortage;
use crate::ids::new_id;
use crate::instances::failure::End;
use crate::instances::machine::{Input, Machine, NotRegistered, ProcessId};
use crate::instances::process::Process;
use crate::instances::records::LogLine;
use crate::instances::{environment, runtime_api};
use crate::invocation::Outcome;
use crate::listener::Listener;
use crate::supervision::{panic_text, with_fault};
use sam_template::model::Function;

/// Runs a process until its end, in a task of its own, so that a panic ends this process alone.
pub(super) fn spawn(driver: Arc<Driver>, id: ProcessId) {
    let runtime = driver.runtime.clone();
    let part = driver.runner(id.function).part.clone();
    let begun = Instant::now();
    let task = runtime.spawn(with_fault(part, run(driver.clone(), id)));
    runtime.spawn(async move {
        let end = task.await.unwrap_or_else(|error| End::HostFault {
            why: panic_text(error),
            ran: begun.elapsed(),
        });
        driver.apply(Input::Exited(id, end));
    });
}

async fn run(driver: Arc<Driver>, id: ProcessId) -> End {
    let (mut process, listener) = match start(&driver, id).await {
        Ok(started) => started,
        Err(error) if is_shortage(&error) => return End::Shortage(error),
        Err(error) => {
            let executable = driver.runner(id.function).executable.clone();
            return End::CannotRun { executable, error };
        }
    };
    // dropped with this function: no connection outlives its process
    let mut connections = JoinSet::new();
    connections.spawn(runtime_api::serve(listener, Instance { driver, id }));
    let status = process.wait().await;
    // it may have left processes that it started
    process.kill();
    status.map_or_else(End::CannotWait, End::of)
}

async fn start(driver: &Arc<Driver>, id: ProcessId) -> io::Result<(Process, Listener)> {
    let runner = driver.runner(id.function);
    let bound = runtime_api::bind(runner.function.per_instance() as usize);
    let listener = bound.await.map_err(|error| error.source)?;
    let stream = format!("[$LATEST]{:08x}", id.number);
    // a variable that is not UTF-8 cannot be passed on
    let host = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let environment = environment::build(
        &runner.function,
        &runner.executable,
        listener.address(),
        &stream,
        host,
    );
    let mut process = Process::start(
        &runner.executable,
        environment,
        driver.open_files,
        &driver.reaper,
    )?;
    let pid = process.pid();
    let calls = Vec::new();
    lock(&driver.started).insert(id, Started { pid, calls });
    driver.apply(Input::Started(id, pid));
    let weak = Arc::downgrade(driver);
    let log = runner.log.clone();
    let observer = runner.observer.clone();
    let function = runner.function.id.clone();
    process.forward_output(move |text| {
        let driver = weak.upgrade();
        let request = driver.and_then(|driver| driver.read(|machine| machine.current_request(id)));
        for renamed in observer.printed(&text) {
            tracing::warn!(function, "{renamed}");
        }
        log.write(request.as_ref(), LogLine::Output { text });
    });
    Ok((process, listener))
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::instances) enum Completion {
    Accepted,
    /// Its invocation has failed already: it ran out of time, on managed instances.
    Late,
    /// No such invocation is in flight. It may have been answered before.
    Unknown,
}

/// A handle of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::instances) struct Instance {
    driver: Arc<Driver>,
    id: ProcessId,
}

impl Instance {
    pub(in crate::instances) fn function(&self) -> &Function {
        &self.driver.runner(self.id.function).function
    }

    pub(in crate::instances) fn function_arn(&self) -> &str {
        &self.driver.runner(self.id.function).arn
    }

    /// A `next` call of the runtime. The channel closes when the process has ended.
    pub(in crate::instances) fn next(&self) -> oneshot::Receiver<Assignment> {
        let (call, receiver) = oneshot::channel();
        self.driver.change(|machine, now| {
            if let Some(started) = lock(&self.driver.started).get_mut(&self.id) {
                started.calls.push(call);
                let open = started.open_calls();
                machine.step(now, Input::NextCalled(self.id, open));
            }
        });
        receiver
    }

    /// An answer arrived.
    pub(in crate::instances) fn complete(
        &self,
        request_id: &str,
        invocation: Option<&str>,
        outcome: Outcome,
    ) -> Completion {
        self.driver.change(|machine, now| {
            if let Some(found) = machine.in_flight(self.id, request_id, invocation) {
                machine.step(now, Input::Responded(self.id, found, outcome));
                return Completion::Accepted;
            }
            if machine.take_late(self.id, request_id, invocation) {
                Completion::Late
            } else {
                Completion::Unknown
            }
        })
    }

    /// Registers an extension and returns its identifier.
    pub(in crate::instances) fn register_extension(
        &self,
        name: String,
        sent_before: Option<Instant>,
    ) -> Result<String, NotRegistered> {
        let identifier = new_id();
        self.driver.change(|machine, _| {
            machine.register(self.id, name, identifier.clone(), sent_before)
        })?;
        Ok(identifier)
    }

    pub(in crate::instances) fn apply(&self, input: impl FnOnce(ProcessId) -> Input) {
        self.driver.apply(input(self.id));
    }

    pub(in crate::instances) fn read<T>(&self, read: impl FnOnce(&Machine, ProcessId) -> T) -> T {
        self.driver.read(|machine| read(machine, self.id))
    }
}
