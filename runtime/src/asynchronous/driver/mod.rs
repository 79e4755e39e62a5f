//! The task that feeds the machine with inputs and executes its actions.

mod results;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::queue::{AsyncEvent, AsyncQueue, MAX_EVENT, lock, now};
use super::settings::AsyncSettings;
use super::store::{Answered, EventChange, EventStore, StoredEvents};
use crate::destinations::Delivered;
use crate::invocation::{Invoker, Rejected, Request, Response, error_text};
use crate::observation::Repeats;
use crate::supervision::panic_text;
use crate::waiting::{turned, until};
use event_sources::Millis;
use event_sources::asynchronous::{
    AcceptedEvent, AsyncAction, AsyncInput, AsyncMachine, AttemptResult, EventDestination, EventId,
    EventStage,
};

/// The result of a task of the driver.
enum TaskResult {
    Attempt(EventId, Result<Response, Rejected>),
    /// The event cannot be read from the store.
    Unreadable(EventId, String),
    Delivery(EventId, EventDestination, Result<Delivered, String>),
}

/// Processes accepted events. A clone that runs after a panic continues with the same events.
#[derive(Debug, Clone)]
pub struct AsyncDriver {
    machine: Arc<Mutex<AsyncMachine>>,
    store: EventStore,
    settings: AsyncSettings,
    queue: AsyncQueue,
    /// Events of an earlier host that no run has taken over, oldest last.
    found: Arc<Mutex<StoredEvents>>,
    /// Set by the first run.
    ran: Arc<AtomicBool>,
    /// Locked by the current run.
    arriving: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<AsyncInput>>>,
}

/// One run of a driver.
struct Run {
    driver: AsyncDriver,
    tasks: JoinSet<TaskResult>,
    /// Answers of attempts that just ended, until the machine has saved or dropped them.
    answers: BTreeMap<EventId, Answered>,
    /// Destinations that do not accept records.
    refused: Repeats<EventDestination>,
}

impl AsyncDriver {
    pub(super) fn new(
        machine: Arc<Mutex<AsyncMachine>>,
        store: EventStore,
        settings: AsyncSettings,
        queue: AsyncQueue,
        found: Vec<(EventId, AcceptedEvent)>,
        arriving: mpsc::UnboundedReceiver<AsyncInput>,
    ) -> Self {
        let found = Arc::new(Mutex::new(found.into_iter().rev().collect()));
        Self {
            machine,
            store,
            settings,
            queue,
            found,
            ran: Arc::default(),
            arriving: Arc::new(tokio::sync::Mutex::new(arriving)),
        }
    }

    /// Runs until `shutdown` turns true and all tasks have ended, or `max_drain` is over. Other
    /// events stay on disk.
    ///
    /// # Errors
    /// A task panicked. Another run continues with every event.
    pub async fn run(
        self,
        invoker: Invoker,
        shutdown: watch::Receiver<bool>,
        max_drain: Duration,
    ) -> Result<(), String> {
        let arriving = self.arriving.clone();
        let mut arriving = arriving.lock().await;
        let run = Run {
            driver: self,
            tasks: JoinSet::new(),
            answers: BTreeMap::new(),
            refused: Repeats::default(),
        };
        run.until_drained(&mut arriving, &invoker, shutdown, max_drain)
            .await
    }

    fn log_found(&self, found: &[(EventId, AcceptedEvent)]) {
        if !found.is_empty() {
            tracing::info!(
                events = found.len(),
                "asynchronous events of an earlier run continue"
            );
        }
        let mut gone: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, entry) in found
            .iter()
            .filter(|(_, entry)| !self.settings.policies.contains_key(&entry.function))
        {
            *gone.entry(&entry.function).or_default() += 1;
        }
        for (function, events) in gone {
            tracing::warn!(
                function,
                events,
                "the template no longer has this function; its events are kept and do not run"
            );
        }
    }
}

impl Run {
    async fn until_drained(
        mut self,
        arriving: &mut mpsc::UnboundedReceiver<AsyncInput>,
        invoker: &Invoker,
        mut shutdown: watch::Receiver<bool>,
        max_drain: Duration,
    ) -> Result<(), String> {
        if self.driver.ran.swap(true, Ordering::Relaxed) {
            // the progress of the run before is unknown
            self.step(AsyncInput::Restarted, invoker);
        } else {
            self.driver.log_found(&lock(&self.driver.found));
        }
        let next = |found: &Mutex<StoredEvents>| lock(found).pop();
        while let Some((id, entry)) = next(&self.driver.found) {
            self.step(AsyncInput::Accepted(id, entry), invoker);
        }
        let mut deadline: Option<tokio::time::Instant> = None;
        while deadline.is_none() || !self.tasks.is_empty() {
            let wake = lock(&self.driver.machine)
                .wake()
                .filter(|_| deadline.is_none());
            tokio::select! {
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(ended) => self.ended(ended, invoker),
                    Err(error) => return Err(panic_text(error)),
                },
                Some(input) = arriving.recv() => self.step(input, invoker),
                () = until(wake.map(instant)) => self.step(AsyncInput::Tick, invoker),
                () = turned(&mut shutdown), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + max_drain);
                    self.step(AsyncInput::Drain, invoker);
                }
                () = until(deadline) => break,
            }
        }
        let left = lock(&self.driver.machine).len();
        if left > 0 {
            tracing::info!(
                events = left,
                "asynchronous events wait on disk for the next start"
            );
        }
        // waits until all earlier changes are on disk
        let _ = self.driver.store.change(Vec::new()).await;
        Ok(())
    }

    fn step(&mut self, input: AsyncInput, invoker: &Invoker) {
        let mut actions = Vec::new();
        lock(&self.driver.machine).step(now(), input, &mut actions);
        for action in actions {
            self.execute(action, invoker);
        }
        self.answers.clear();
    }

    fn execute(&mut self, action: AsyncAction, invoker: &Invoker) {
        match action {
            // the store logs and repeats its failed changes
            AsyncAction::Save(id, entry) => {
                let answered = self
                    .answers
                    .remove(&id)
                    .filter(|_| matches!(entry.stage, EventStage::Ended { .. }));
                drop(
                    self.driver
                        .store
                        .change(vec![EventChange::Update(id, entry, answered)]),
                );
            }
            AsyncAction::Forget(id) => {
                drop(self.driver.store.change(vec![EventChange::Remove(id)]));
            }
            AsyncAction::Lost(function, request_id, condition) => {
                tracing::error!(
                    alarm = "event_lost",
                    function,
                    request_id,
                    condition = condition.word(),
                    "an event is discarded; its function has no OnFailure destination"
                );
                self.driver.queue.lost(function);
            }
            AsyncAction::Invoke(id) => self.invoke(id, invoker.clone()),
            AsyncAction::Deliver(id, target) => self.deliver(id, target),
        }
    }

    fn invoke(&mut self, id: EventId, invoker: Invoker) {
        let Some(entry) = lock(&self.driver.machine).entry(id).cloned() else {
            return;
        };
        let max_age = self
            .driver
            .settings
            .policies
            .get(&entry.function)
            .map_or(0, |policy| policy.max_age);
        let start_by = Instant::now()
            + Duration::from_millis((entry.accepted + max_age - now()).max(0) as u64);
        let store = self.driver.store.clone();
        self.tasks.spawn(async move {
            let payload = match store.read(id).await {
                Ok(stored) => stored.payload,
                Err(why) => return TaskResult::Unreadable(id, why),
            };
            let request = Request {
                trace_id: entry.trace_id,
                request_id: Some(entry.request_id),
                start_by: Some(start_by),
                ..Request::new(entry.function, payload)
            };
            TaskResult::Attempt(id, invoker.invoke(request, true).await)
        });
    }

    fn deliver(&mut self, id: EventId, target: EventDestination) {
        let Some(entry) = lock(&self.driver.machine).entry(id).cloned() else {
            return;
        };
        let store = self.driver.store.clone();
        let deliveries = self.driver.settings.deliveries.clone();
        let queue = self.driver.queue.clone();
        self.tasks.spawn(async move {
            let sent = async {
                let stored = store.read(id).await?;
                let EventDestination::Function(function) = &target else {
                    let sent = deliveries.send(&target, &entry, &stored).await;
                    return sent.map_err(|why| why.to_string());
                };
                let payload = Bytes::from(
                    deliveries
                        .documents(&entry, &stored, MAX_EVENT)
                        .into_iter()
                        .next()
                        .unwrap_or_default(),
                );
                let event = AsyncEvent {
                    function: function.clone(),
                    payload,
                    trace_id: entry.trace_id.clone(),
                };
                queue
                    .accept(event)
                    .await
                    .map(|_| Delivered::default())
                    .map_err(|why| why.to_string())
            };
            let sent = sent.await;
            TaskResult::Delivery(id, target, sent)
        });
    }

    fn ended(&mut self, ended: TaskResult, invoker: &Invoker) {
        let input = match ended {
            TaskResult::Attempt(id, result) => {
                let error = error_text(&result).unwrap_or_default();
                let function = lock(&self.driver.machine)
                    .entry(id)
                    .map(|entry| entry.function.clone());
                let result = self.classify(id, result);
                if let Some(function) = function {
                    self.driver.queue.attempted(&function, result, &error);
                }
                AsyncInput::Finished(id, result)
            }
            TaskResult::Unreadable(id, why) => {
                tracing::error!(
                    alarm = "event_unreadable",
                    event = id,
                    why,
                    "an event cannot be read"
                );
                AsyncInput::Finished(id, AttemptResult::NotBegun)
            }
            TaskResult::Delivery(id, target, sent) => {
                if sent.is_ok() {
                    self.refused.over(&target);
                }
                self.report_delivery(id, &target, sent.as_ref().err());
                match &sent {
                    Ok(delivered) => {
                        for refused in &delivered.refused {
                            self.lost(id, &target, &refused.why);
                        }
                    }
                    Err(why) => self.report_refusal(&target, why),
                }
                AsyncInput::Delivered(id, target, sent.is_ok())
            }
        };
        self.step(input, invoker);
    }
}

fn instant(at: Millis) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_millis((at - now()).max(0) as u64)
}
