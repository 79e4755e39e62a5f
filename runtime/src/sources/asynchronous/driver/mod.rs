//! The task that feeds the machine with inputs and executes its actions.

mod results;

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::error::EventStoreError;
use super::queue::{AsyncEvent, AsyncQueue, MAX_EVENT, NotAccepted};
use super::store::{Answered, EventChange};
use crate::clock::now;
use crate::destinations::{Delivered, DestinationError};
use crate::invocation::{Invoker, Rejected, Request, Response, Trigger, error_text};
use crate::lock::lock;
use crate::observation::Repeats;
use crate::supervision::TaskError;
use crate::waiting::{turned, until};
use event_sources::Millis;
use event_sources::asynchronous::{
    AcceptedEvent, AsyncAction, AsyncInput, AsyncMachine, AttemptResult, EventDestination, EventId,
    EventStage,
};

/// Why a record of an event is not delivered.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    /// The event cannot be read.
    #[error(transparent)]
    Store(#[from] EventStoreError),
    /// The queue accepts nothing.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The function accepts no event.
    #[error(transparent)]
    Function(#[from] NotAccepted),
}

/// The result of a task of the driver.
enum TaskResult {
    Attempt(EventId, Result<Response, Rejected>),
    /// The event cannot be read from the store.
    Unreadable(EventId, EventStoreError),
    Delivery(EventId, EventDestination, Result<Delivered, DeliveryError>),
}

/// Processes accepted events. A clone that runs after a panic continues with the same events.
#[derive(Debug, Clone)]
pub struct AsyncDriver {
    pub(super) queue: AsyncQueue,
    /// Locked by the current run.
    pub(super) arriving: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<AsyncInput>>>,
}

/// One run of a driver.
struct Run {
    queue: AsyncQueue,
    invoker: Invoker,
    tasks: JoinSet<TaskResult>,
    /// Answers of attempts that just ended, until the machine has saved or dropped them.
    answers: BTreeMap<EventId, Answered>,
    /// Destinations that do not accept records.
    refused: Repeats<EventDestination>,
}

impl AsyncDriver {
    /// Accepts the events that it processes.
    pub fn queue(&self) -> AsyncQueue {
        self.queue.clone()
    }

    /// Runs until `shutdown` turns true and all tasks have ended, or `max_drain` is over. Other
    /// events stay on disk.
    ///
    /// # Errors
    /// A task panicked. Another run continues with every event.
    pub async fn run(
        self,
        invoker: Invoker,
        mut shutdown: watch::Receiver<bool>,
        max_drain: Duration,
    ) -> Result<(), TaskError> {
        let mut arriving = self.arriving.lock().await;
        let mut run = Run {
            queue: self.queue.clone(),
            invoker,
            tasks: JoinSet::new(),
            answers: BTreeMap::new(),
            refused: Repeats::default(),
        };
        // the progress of an earlier run is unknown
        run.step(AsyncInput::Restarted);
        while let Ok(input) = arriving.try_recv() {
            run.step(input);
        }
        let mut deadline: Option<tokio::time::Instant> = None;
        while deadline.is_none() || !run.tasks.is_empty() {
            let wake = run.machine().wake().filter(|_| deadline.is_none());
            tokio::select! {
                Some(ended) = run.tasks.join_next() => match ended {
                    Ok(ended) => run.ended(ended),
                    Err(error) => return Err(error.into()),
                },
                Some(input) = arriving.recv() => run.step(input),
                () = until(wake.map(instant)) => run.step(AsyncInput::Tick),
                () = turned(&mut shutdown), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + max_drain);
                    run.step(AsyncInput::Drain);
                }
                () = until(deadline) => break,
            }
        }
        let left = run.machine().len();
        if left > 0 {
            tracing::info!(
                events = left,
                "asynchronous events wait on disk for the next start"
            );
        }
        // waits until all earlier changes are on disk
        let _ = run.queue.0.store.change(Vec::new()).await;
        Ok(())
    }
}

impl Run {
    fn machine(&self) -> MutexGuard<'_, AsyncMachine> {
        lock(&self.queue.0.machine)
    }

    /// An event that has not ended or not reached all its destinations.
    fn entry(&self, id: EventId) -> Option<AcceptedEvent> {
        self.machine().entry(id).cloned()
    }

    fn step(&mut self, input: AsyncInput) {
        let mut actions = Vec::new();
        self.machine().step(now(), input, &mut actions);
        for action in actions {
            self.execute(action);
        }
        self.answers.clear();
    }

    fn execute(&mut self, action: AsyncAction) {
        match action {
            AsyncAction::Save(id, entry) => {
                let answered = self
                    .answers
                    .remove(&id)
                    .filter(|_| matches!(entry.stage, EventStage::Ended { .. }));
                self.change(EventChange::Update(id, entry, answered));
            }
            AsyncAction::Forget(id) => self.change(EventChange::Remove(id)),
            AsyncAction::Lost(function, request_id, condition) => {
                tracing::error!(
                    alarm = "event_lost",
                    function,
                    request_id,
                    condition = condition.word(),
                    "an event is discarded; its function has no OnFailure destination"
                );
                self.queue.lost(function);
            }
            AsyncAction::Invoke(id) => self.invoke(id),
            AsyncAction::Deliver(id, target) => self.deliver(id, target),
        }
    }

    fn change(&self, change: EventChange) {
        // the store logs and repeats its failed changes
        drop(self.queue.0.store.change(vec![change]));
    }

    fn invoke(&mut self, id: EventId) {
        let Some(entry) = self.entry(id) else {
            return;
        };
        let max_age = self
            .queue
            .0
            .settings
            .policies
            .get(&entry.function)
            .map_or(0, |policy| policy.max_age);
        let start_by = Instant::now()
            + Duration::from_millis((entry.accepted + max_age - now()).max(0) as u64);
        let store = self.queue.0.store.clone();
        let invoker = self.invoker.clone();
        self.tasks.spawn(async move {
            let payload = match store.read(id).await {
                Ok(stored) => stored.payload,
                Err(why) => return TaskResult::Unreadable(id, why),
            };
            let request = Request {
                trace_id: entry.trace_id,
                request_id: Some(entry.request_id),
                trigger: Trigger::Event,
                start_by: Some(start_by),
                ..Request::new(entry.function, payload)
            };
            TaskResult::Attempt(id, invoker.invoke(request, true).await)
        });
    }

    fn deliver(&mut self, id: EventId, target: EventDestination) {
        let Some(entry) = self.entry(id) else {
            return;
        };
        let queue = self.queue.clone();
        self.tasks.spawn(async move {
            let sent = async {
                let stored = queue.0.store.read(id).await?;
                let settings = &queue.0.settings;
                let EventDestination::Function(function) = &target else {
                    return Ok(settings.send(&target, &entry, &stored).await?);
                };
                let mut documents = settings.documents(&entry, &stored, MAX_EVENT).into_iter();
                let payload = Bytes::from(documents.next().unwrap_or_default());
                let event = AsyncEvent {
                    function: function.clone(),
                    payload,
                    trace_id: entry.trace_id.clone(),
                };
                queue.accept(event).await?;
                Ok(Delivered::default())
            };
            let sent = sent.await;
            TaskResult::Delivery(id, target, sent)
        });
    }

    fn ended(&mut self, ended: TaskResult) {
        let input = match ended {
            TaskResult::Attempt(id, result) => {
                let error = error_text(&result).unwrap_or_default();
                let entry = self.entry(id);
                let result = self.classify(id, result);
                if let Some(entry) = entry {
                    self.queue.attempted(&entry.function, result, &error);
                }
                AsyncInput::Finished(id, result)
            }
            TaskResult::Unreadable(id, why) => {
                tracing::error!(
                    alarm = "event_unreadable",
                    event = id,
                    %why,
                    "an event cannot be read"
                );
                AsyncInput::Finished(id, AttemptResult::NotBegun)
            }
            TaskResult::Delivery(id, target, sent) => {
                self.report_delivery(id, &target, &sent);
                AsyncInput::Delivered(id, target, sent.is_ok())
            }
        };
        self.step(input);
    }
}

fn instant(at: Millis) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_millis((at - now()).max(0) as u64)
}
