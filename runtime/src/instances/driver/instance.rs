//! One process, as its Runtime API sees it.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use super::invocations::Assignment;
use super::{Driver, lock};
use crate::ids::new_id;
use crate::instances::machine::{Input, Machine, NotRegistered, ProcessId};
use crate::invocation::Outcome;
use sam_template::model::Function;

/// A handle of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::instances) struct Instance {
    pub(super) driver: Arc<Driver>,
    pub(super) id: ProcessId,
}

impl Instance {
    pub(in crate::instances) fn function(&self) -> &Function {
        &self.driver.runner(self.id.function).function
    }

    /// A `next` call of the runtime. The channel closes when the process has ended.
    pub(in crate::instances) fn next(&self) -> oneshot::Receiver<Assignment> {
        let (call, receiver) = oneshot::channel();
        if let Some(started) = lock(&self.driver.started).get_mut(&self.id) {
            started.calls.push(call);
        }
        self.apply(Input::NextCalled);
        receiver
    }

    /// An answer arrived. False: no such invocation is in flight (it is late, or answered before).
    pub(in crate::instances) fn complete(
        &self,
        request_id: &str,
        invocation: Option<&str>,
        outcome: Outcome,
    ) -> bool {
        self.driver.change(|machine, now| {
            let found = machine.in_flight(self.id, request_id, invocation);
            found
                .map(|found| machine.step(now, Input::Responded(self.id, found, outcome)))
                .is_some()
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
