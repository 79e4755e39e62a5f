//! The task between the store, the pure machine and the functions: it feeds the one and obeys the other.

use event_sources::Millis;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::deliveries::describe;
use super::queue::{Event, MAX_EVENT, Queue, Settings, lock, now};
use super::store::{Answered, Change, Found, Store};
use crate::destinations::Delivered;
use crate::invocation::{Invoker, Outcome, Rejected, Request, Response, error_text};
use crate::observation::Repeats;
use crate::supervision::panic_text;
use crate::waiting::{turned, until};
use event_sources::asynchronous::{AcceptedEvent, EventDestination, EventId, EventStage};
use event_sources::asynchronous::{AsyncAction, AsyncInput, AsyncMachine, AttemptResult};

/// What a task of the driver ends with.
enum Ended {
    Try(EventId, Result<Response, Rejected>),
    /// The event could not even be read.
    Unread(EventId, String),
    Delivery(EventId, EventDestination, Result<Delivered, String>),
}

/// Runs what was accepted. A clone that runs after one that panicked goes on with the same events.
#[derive(Debug, Clone)]
pub struct Driver {
    machine: Arc<Mutex<AsyncMachine>>,
    store: Store,
    settings: Settings,
    queue: Queue,
    /// Of an earlier host, oldest last, as far as no run has taken them.
    found: Arc<Mutex<Found>>,
    /// There was a run before.
    ran: Arc<AtomicBool>,
    /// Held by the run of now.
    arriving: Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<AsyncInput>>>,
}

/// One run of a driver.
struct Run {
    driver: Driver,
    tasks: JoinSet<Ended>,
    /// What tries that just ended came to, until the machine has said whether that is kept.
    answers: BTreeMap<EventId, Answered>,
    /// Records that destinations did not take.
    refused: Repeats<EventDestination>,
}

impl Driver {
    pub(super) fn new(
        machine: Arc<Mutex<AsyncMachine>>,
        store: Store,
        settings: Settings,
        queue: Queue,
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

    /// Runs until `shutdown` turns true and what runs then has ended, or `patience` is over. The rest stays on disk.
    ///
    /// # Errors
    /// What broke off. Another run goes on with every event.
    pub async fn run(
        self,
        invoker: Invoker,
        shutdown: watch::Receiver<bool>,
        patience: Duration,
    ) -> Result<(), String> {
        let arriving = self.arriving.clone();
        let mut arriving = arriving.lock().await;
        let run = Run {
            driver: self,
            tasks: JoinSet::new(),
            answers: BTreeMap::new(),
            refused: Repeats::default(),
        };
        run.until_drained(&mut arriving, &invoker, shutdown, patience)
            .await
    }

    fn tell_of_the_found(&self, found: &[(EventId, AcceptedEvent)]) {
        if !found.is_empty() {
            tracing::info!(
                events = found.len(),
                "asynchronous events of an earlier run go on"
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
                "the template has this function no more; its events are kept and do not run"
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
        patience: Duration,
    ) -> Result<(), String> {
        if self.driver.ran.swap(true, Ordering::Relaxed) {
            // what the run before had begun is unknown
            self.step(AsyncInput::Restarted, invoker);
        } else {
            self.driver.tell_of_the_found(&lock(&self.driver.found));
        }
        let next = |found: &Mutex<Found>| lock(found).pop();
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
                    deadline = Some(tokio::time::Instant::now() + patience);
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
        // everything that was asked of the store is on disk after this
        let _ = self.driver.store.change(Vec::new()).await;
        Ok(())
    }

    fn step(&mut self, input: AsyncInput, invoker: &Invoker) {
        let mut actions = Vec::new();
        lock(&self.driver.machine).step(now(), input, &mut actions);
        for action in actions {
            self.obey(action, invoker);
        }
        self.answers.clear();
    }

    fn obey(&mut self, action: AsyncAction, invoker: &Invoker) {
        match action {
            // the store tells of its own failures, and makes up for them
            AsyncAction::Save(id, entry) => {
                let answered = self
                    .answers
                    .remove(&id)
                    .filter(|_| matches!(entry.stage, EventStage::Ended { .. }));
                drop(
                    self.driver
                        .store
                        .change(vec![Change::Update(id, entry, answered)]),
                );
            }
            AsyncAction::Forget(id) => drop(self.driver.store.change(vec![Change::Remove(id)])),
            AsyncAction::Lost(function, request_id, condition) => {
                tracing::error!(
                    alarm = "event_lost",
                    function,
                    request_id,
                    condition = condition.word(),
                    "an event is given up and lost; an OnFailure destination would have taken it"
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
                Err(why) => return Ended::Unread(id, why),
            };
            let request = Request {
                trace_id: entry.trace_id,
                request_id: Some(entry.request_id),
                start_by: Some(start_by),
                ..Request::new(entry.function, payload)
            };
            Ended::Try(id, invoker.invoke(request, true).await)
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
                let event = Event {
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
            Ended::Delivery(id, target, sent)
        });
    }

    fn ended(&mut self, ended: Ended, invoker: &Invoker) {
        let input = match ended {
            Ended::Try(id, result) => {
                let said = error_text(&result).unwrap_or_default();
                let function = lock(&self.driver.machine)
                    .entry(id)
                    .map(|entry| entry.function.clone());
                let finish = self.judge(id, result);
                if let Some(function) = function {
                    self.driver.queue.tried(&function, finish, &said);
                }
                AsyncInput::Finished(id, finish)
            }
            Ended::Unread(id, why) => {
                tracing::error!(
                    alarm = "event_unreadable",
                    event = id,
                    why,
                    "an event cannot be read"
                );
                AsyncInput::Finished(id, AttemptResult::NotBegun)
            }
            Ended::Delivery(id, target, sent) => {
                if sent.is_ok() {
                    self.refused.over(&target);
                }
                self.note_delivery(id, &target, sent.as_ref().err());
                match &sent {
                    Ok(delivered) => {
                        for refused in &delivered.refused {
                            self.lost(id, &target, &refused.why);
                        }
                    }
                    Err(why) => self.not_taken(&target, why),
                }
                AsyncInput::Delivered(id, target, sent.is_ok())
            }
        };
        self.step(input, invoker);
    }

    /// Notes whether a destination takes records of the event's function.
    fn note_delivery(&self, id: EventId, target: &EventDestination, error: Option<&String>) {
        let Some(function) = lock(&self.driver.machine)
            .entry(id)
            .map(|entry| entry.function.clone())
        else {
            return;
        };
        let refused = error.map(|why| {
            let to = describe(target);
            format!("{to} does not take the records of events ({why}); they are kept, and it is tried until it does. Mend or create {to}")
        });
        self.driver.queue.told(&function, target, refused);
    }

    /// The destination refuses the record in every form.
    fn lost(&self, id: EventId, target: &EventDestination, why: &str) {
        let Some(entry) = lock(&self.driver.machine).entry(id).cloned() else {
            return;
        };
        tracing::error!(
            alarm = "event_lost",
            function = entry.function,
            request_id = entry.request_id,
            "an event's record is given up and lost: {} refuses it in every form ({why}). Raise MaximumMessageSize of the queue",
            describe(target)
        );
        self.driver.queue.lost(entry.function);
    }

    /// A destination takes nothing at present.
    fn not_taken(&mut self, target: &EventDestination, why: &str) {
        if let Some(times) = self.refused.failed(Instant::now(), target.clone(), why) {
            tracing::error!(
                alarm = "destination_refuses",
                times,
                "{} does not take the record of an event ({why}); it is kept, and tried until it is taken",
                describe(target)
            );
        }
    }

    /// What the end of a try means; what it came to is remembered for the record.
    fn judge(&mut self, id: EventId, result: Result<Response, Rejected>) -> AttemptResult {
        let Some((function, most)) = lock(&self.driver.machine).entry(id).map(|entry| {
            (
                entry.function.clone(),
                self.driver
                    .settings
                    .policies
                    .get(&entry.function)
                    .map_or(0, |policy| policy.concurrency),
            )
        }) else {
            return AttemptResult::Never;
        };
        let text = |body: &[u8]| String::from_utf8_lossy(body).into_owned();
        match result {
            Ok(Response {
                outcome: Outcome::Answer(body),
                ..
            }) => {
                self.answers.insert(
                    id,
                    Answered {
                        error: None,
                        body: text(&body),
                    },
                );
                AttemptResult::Answered
            }
            Ok(Response {
                outcome: Outcome::Interrupted(_),
                ..
            })
            | Err(Rejected::ShuttingDown) => AttemptResult::Stopped,
            Ok(Response {
                outcome: Outcome::Error(error),
                request_id,
            }) => {
                tracing::warn!(
                    function,
                    request_id,
                    error_type = error.error_type,
                    "an asynchronous event failed: {}",
                    error.message
                );
                self.answers.insert(
                    id,
                    Answered {
                        error: Some(error.message),
                        body: text(&error.body),
                    },
                );
                AttemptResult::Failed
            }
            Err(Rejected::NoCapacity { .. }) => AttemptResult::NotBegun,
            Err(Rejected::Throttled(_)) if most > 0 => AttemptResult::NotBegun,
            Err(rejected) => {
                tracing::error!(function, %rejected, "an asynchronous event cannot run");
                AttemptResult::Never
            }
        }
    }
}

fn instant(at: Millis) -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_millis((at - now()).max(0) as u64)
}
