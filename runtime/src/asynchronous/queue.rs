//! The door: takes events over, and shows what became of them.

use event_sources::Millis;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::mpsc;

use super::deliveries::Deliveries;
use super::driver::Driver;
use super::store::{Change, Store};
use crate::ids::new_id;
use crate::instances::arn;
use crate::sqs::Sqs;
use event_sources::asynchronous::{AcceptedEvent, EventDestination, EventStage};
use event_sources::asynchronous::{
    AsyncInput, AsyncMachine, AttemptResult, EventInvokePolicy, RetryTiming,
};
use event_sources::health::{SourceHealth, SourceProblem, SourceState, SourceWatch, WaitingWork};
use sam_template::model::{Application, EventTarget};

/// Most bytes of an asynchronous event (Lambda quota "Invocation payload", asynchronous: 1 MB).
pub const MAX_EVENT: usize = 1024 * 1024;

/// Events that may wait. Each costs some hundred bytes of memory; its payload is on disk alone.
const MOST_WAITING: usize = 100_000;

/// An event for a function.
#[derive(Debug, Clone)]
pub struct Event {
    /// Function's logical id.
    pub function: String,
    /// JSON, [`MAX_EVENT`] bytes at most.
    pub payload: Bytes,
    /// `X-Amzn-Trace-Id` to pass on.
    pub trace_id: Option<String>,
}

/// Why an event was not taken over. The caller still owns it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// No such function in the template.
    #[error("no function {0} runs here")]
    NotFound(String),
    /// Larger than [`MAX_EVENT`].
    #[error("the event has {0} bytes; an asynchronous invocation takes at most {MAX_EVENT}")]
    TooLarge(usize),
    /// Too many wait already.
    #[error("{MOST_WAITING} events wait already")]
    Full,
    /// The disk does not take it.
    #[error("the event cannot be kept: {0}")]
    Store(String),
}

/// What there is of a function's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AsyncStats {
    /// Logical id.
    pub function: String,
    /// Accepted, and not running now: new ones, and those that will be tried again.
    pub waiting: usize,
    /// Running now.
    pub running: usize,
    /// Ended, and not all destinations have been told.
    pub delivering: usize,
    /// Given up since the host started, and nobody was to be told.
    pub lost: u64,
    /// How they fare.
    pub health: SourceHealth,
}

impl AsyncStats {
    /// Events that are not done with.
    pub fn unfinished(&self) -> usize {
        self.waiting + self.running + self.delivering
    }
}

/// What is known beforehand.
#[derive(Debug, Clone)]
pub struct Settings {
    pub(super) policies: BTreeMap<String, EventInvokePolicy>,
    pub(super) timing: RetryTiming,
    pub(super) deliveries: Deliveries,
}

impl Settings {
    /// From the application; `concurrency`: invocations at one time of a function that reserves no number.
    pub fn of(app: &Application, concurrency: usize, aws_timing: bool) -> Self {
        let policies = app.functions.values().map(|function| {
            let config = app
                .event_invoke
                .get(&function.id)
                .cloned()
                .unwrap_or_default();
            let target = |target: EventTarget| match target {
                EventTarget::Queue(arn) => EventDestination::Queue(arn),
                EventTarget::Function(id) => EventDestination::Function(id),
            };
            let policy = EventInvokePolicy {
                max_retries: config.max_retries,
                max_age: config.max_age.as_millis() as Millis,
                concurrency: function
                    .concurrency
                    .map_or(concurrency, |limit| limit as usize),
                on_success: config.on_success.map(target).into_iter().collect(),
                on_failure: config
                    .on_failure
                    .map(target)
                    .into_iter()
                    .chain(config.dead_letters.map(EventDestination::DeadLetters))
                    .collect(),
            };
            (function.id.clone(), policy)
        });
        Self {
            policies: policies.collect(),
            timing: if aws_timing {
                RetryTiming::AWS
            } else {
                RetryTiming::SHORT
            },
            deliveries: Deliveries {
                sqs: Sqs::of(app),
                arns: app
                    .functions
                    .values()
                    .map(|function| (function.id.clone(), arn(function)))
                    .collect(),
            },
        }
    }
}

/// Takes events over. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    next: AtomicU64,
    functions: BTreeMap<String, EventInvokePolicy>,
    machine: Arc<Mutex<AsyncMachine>>,
    inputs: mpsc::UnboundedSender<AsyncInput>,
    /// Events given up that nobody was told of, by function.
    lost: Mutex<BTreeMap<String, u64>>,
    /// By function.
    fared: Mutex<BTreeMap<String, Fared>>,
}

/// How the events of a function fare.
#[derive(Debug)]
struct Fared {
    watch: SourceWatch,
    /// Destinations that take no records at present, and why.
    refused: BTreeMap<EventDestination, String>,
}

impl Default for Fared {
    fn default() -> Self {
        Self {
            watch: SourceWatch::new(now()),
            refused: BTreeMap::new(),
        }
    }
}

/// Opens the events of this state folder. They run, and so do new ones, while the driver does.
///
/// # Errors
/// The folder cannot be used, or another host uses it.
pub fn open(folder: &Path, settings: &Settings) -> Result<(Queue, Driver), String> {
    let (store, found, _) = Store::open(folder)?;
    let machine = Arc::new(Mutex::new(AsyncMachine::new(
        settings.policies.clone(),
        settings.timing,
    )));
    let (inputs, arriving) = mpsc::unbounded_channel();
    let queue = Queue(Arc::new(Inner {
        store: store.clone(),
        next: AtomicU64::new(found.last().map_or(0, |(id, _)| id + 1)),
        functions: settings.policies.clone(),
        machine: machine.clone(),
        inputs,
        lost: Mutex::default(),
        fared: Mutex::new(
            settings
                .policies
                .keys()
                .map(|function| (function.clone(), Fared::default()))
                .collect(),
        ),
    }));
    let driver = Driver::new(
        machine,
        store,
        settings.clone(),
        queue.clone(),
        found,
        arriving,
    );
    Ok((queue, driver))
}

pub(super) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, as events count it.
pub(super) fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

impl Queue {
    /// Takes an event over. When this returns its request id the event is on disk.
    ///
    /// # Errors
    /// The event was not taken.
    pub async fn accept(&self, event: Event) -> Result<String, NotAccepted> {
        let Event {
            function,
            payload,
            trace_id,
        } = event;
        let inner = &self.0;
        if !inner.functions.contains_key(&function) {
            return Err(NotAccepted::NotFound(function));
        }
        if payload.len() > MAX_EVENT {
            return Err(NotAccepted::TooLarge(payload.len()));
        }
        if lock(&inner.machine).len() >= MOST_WAITING {
            return Err(NotAccepted::Full);
        }
        let id = inner.next.fetch_add(1, Ordering::Relaxed);
        let accepted = now();
        let stage = EventStage::Waiting {
            failed: 0,
            delayed: 0,
            due: accepted,
        };
        let entry = AcceptedEvent {
            function,
            request_id: new_id(),
            trace_id,
            accepted,
            invoked: 0,
            stage,
        };
        inner
            .store
            .change(vec![Change::Add(id, entry.clone(), payload)])
            .await
            .map_err(NotAccepted::Store)?;
        let request_id = entry.request_id.clone();
        // a driver that has ended leaves it to the next start
        let _ = inner.inputs.send(AsyncInput::Accepted(id, entry));
        Ok(request_id)
    }

    fn health(
        &self,
        function: &str,
        watch: &mut SourceWatch,
        waiting: Option<WaitingWork>,
    ) -> SourceHealth {
        let now = now();
        watch.waits(now, waiting);
        let health = watch.health(now);
        if self.0.functions.contains_key(function) || waiting.is_none() {
            return health;
        }
        let reason = format!(
            "the template has no function {function}; its events are kept and do not run until it has one"
        );
        SourceHealth {
            state: SourceState::Behind,
            reason: Some(reason),
            ..health
        }
    }

    /// Events of this function that have not ended.
    pub fn unfinished(&self, function: &str) -> usize {
        let machine = lock(&self.0.machine);
        machine
            .overview()
            .filter(|(entry, _)| {
                entry.function == function && matches!(entry.stage, EventStage::Waiting { .. })
            })
            .count()
    }

    /// Changes how many of a function's events run at one time, from now on.
    pub fn limit(&self, function: &str, most: NonZeroUsize) {
        // a driver that has ended runs none
        let _ = self
            .0
            .inputs
            .send(AsyncInput::Limited(function.to_owned(), most.get()));
    }

    /// One more was given up that nobody was told of.
    pub(super) fn lost(&self, function: String) {
        *lock(&self.0.lost).entry(function).or_default() += 1;
    }

    /// What a try of an event of this function came to; `said`: its error, or why it did not begin.
    pub(super) fn tried(&self, function: &str, finish: AttemptResult, said: &str) {
        self.fare(function, |fared, now| match finish {
            AttemptResult::Answered => {
                fared.watch.succeeded(now);
                fared.watch.progressed(now);
            }
            AttemptResult::Failed | AttemptResult::Never => fared.watch.failed(now, said),
            AttemptResult::NotBegun => fared
                .watch
                .refused(format!("the function does not begin: {said}")),
            AttemptResult::Stopped => {}
        });
    }

    /// A destination took a record of this function's events, or did not, for this reason.
    pub(super) fn told(&self, function: &str, target: &EventDestination, refused: Option<String>) {
        self.fare(function, |fared, now| {
            match refused {
                Some(why) => {
                    fared.watch.noted(now, &why);
                    fared.refused.insert(target.clone(), why);
                }
                None => _ = fared.refused.remove(target),
            }
            fared.watch.problem(
                now,
                fared
                    .refused
                    .values()
                    .next()
                    .cloned()
                    .map(SourceProblem::stuck),
            );
        });
    }

    /// An event of this function could not be made, for this reason.
    pub(crate) fn not_made(&self, function: &str, why: &str) {
        self.fare(function, |fared, now| fared.watch.noted(now, why));
    }

    fn fare(&self, function: &str, note: impl FnOnce(&mut Fared, Millis)) {
        note(
            lock(&self.0.fared).entry(function.to_owned()).or_default(),
            now(),
        );
    }

    /// What there is, by function.
    pub fn stats(&self) -> Vec<AsyncStats> {
        let lost = lock(&self.0.lost).clone();
        let of = |function: &String| {
            let lost = lost.get(function).copied().unwrap_or_default();
            (
                function.clone(),
                AsyncStats {
                    function: function.clone(),
                    lost,
                    ..AsyncStats::default()
                },
            )
        };
        let mut stats: BTreeMap<String, AsyncStats> = self.0.functions.keys().map(of).collect();
        let mut oldest: BTreeMap<String, Millis> = BTreeMap::new();
        for (entry, running) in lock(&self.0.machine).overview() {
            if oldest
                .get(&entry.function)
                .is_none_or(|known| *known > entry.accepted)
            {
                oldest.insert(entry.function.clone(), entry.accepted);
            }
            // events of functions that the template has no more are told of as well
            let of = stats
                .entry(entry.function.clone())
                .or_insert_with_key(|function| of(function).1);
            match entry.stage {
                EventStage::Ended { .. } => of.delivering += 1,
                EventStage::Waiting { .. } if running => of.running += 1,
                EventStage::Waiting { .. } => of.waiting += 1,
            }
        }
        let mut fared = lock(&self.0.fared);
        for stats in stats.values_mut() {
            let watch = &mut fared.entry(stats.function.clone()).or_default().watch;
            let oldest = oldest.get(&stats.function).copied();
            let waiting = oldest.map(|_| WaitingWork {
                oldest,
                since: oldest,
                in_flight: stats.running > 0,
            });
            stats.health = self.health(&stats.function, watch, waiting);
        }
        stats.into_values().collect()
    }
}
