//! Accepts events.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::driver::AsyncDriver;
use super::settings::AsyncSettings;
use super::stats::EventHealth;
use super::store::{EventChange, EventStore};
use crate::ids::new_id;
use event_sources::Millis;
use event_sources::asynchronous::{
    AcceptedEvent, AsyncInput, AsyncMachine, EventInvokePolicy, EventStage,
};

/// Maximum size of an asynchronous event in bytes (Lambda quota "Invocation payload": 1 MB).
pub const MAX_EVENT: usize = 1024 * 1024;

/// Maximum number of waiting events. Each takes some hundred bytes of memory; payloads are on disk.
const MAX_WAITING: usize = 100_000;

/// An event for a function.
#[derive(Debug, Clone)]
pub struct AsyncEvent {
    /// Function's logical id.
    pub function: String,
    /// JSON of at most [`MAX_EVENT`] bytes.
    pub payload: Bytes,
    /// `X-Amzn-Trace-Id` to pass on.
    pub trace_id: Option<String>,
}

/// Why an event was not accepted. The caller still owns it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAccepted {
    /// The template has no such function.
    #[error("no function {0} runs here")]
    NotFound(String),
    /// Larger than [`MAX_EVENT`].
    #[error("the event has {0} bytes; an asynchronous invocation takes at most {MAX_EVENT}")]
    TooLarge(usize),
    /// Too many events wait.
    #[error("{MAX_WAITING} events wait already")]
    Full,
    /// The event cannot be written to disk.
    #[error("the event cannot be stored: {0}")]
    Store(String),
}

/// Accepts events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AsyncQueue(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    store: EventStore,
    next: AtomicU64,
    pub(super) functions: BTreeMap<String, EventInvokePolicy>,
    pub(super) machine: Arc<Mutex<AsyncMachine>>,
    inputs: mpsc::UnboundedSender<AsyncInput>,
    /// Discarded events that reached no destination, by function.
    pub(super) lost: Mutex<BTreeMap<String, u64>>,
    /// By function.
    pub(super) health: Mutex<BTreeMap<String, EventHealth>>,
}

/// Opens the events of this state folder. The returned driver processes them and new ones.
///
/// # Errors
/// The folder cannot be used, or another host uses it.
pub fn open(folder: &Path, settings: &AsyncSettings) -> Result<(AsyncQueue, AsyncDriver), String> {
    let (store, found, _) = EventStore::open(folder)?;
    let machine = Arc::new(Mutex::new(AsyncMachine::new(
        settings.policies.clone(),
        settings.timing,
    )));
    let (inputs, arriving) = mpsc::unbounded_channel();
    let queue = AsyncQueue(Arc::new(Inner {
        store: store.clone(),
        next: AtomicU64::new(found.last().map_or(0, |(id, _)| id + 1)),
        functions: settings.policies.clone(),
        machine: machine.clone(),
        inputs,
        lost: Mutex::default(),
        health: Mutex::new(
            settings
                .policies
                .keys()
                .map(|function| (function.clone(), EventHealth::default()))
                .collect(),
        ),
    }));
    let driver = AsyncDriver::new(
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

/// The current time.
pub(super) fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

impl AsyncQueue {
    /// Accepts an event and returns its request id. The event is on disk then.
    ///
    /// # Errors
    /// The event was not accepted.
    pub async fn accept(&self, event: AsyncEvent) -> Result<String, NotAccepted> {
        let AsyncEvent {
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
        if lock(&inner.machine).len() >= MAX_WAITING {
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
            .change(vec![EventChange::Add(id, entry.clone(), payload)])
            .await
            .map_err(NotAccepted::Store)?;
        let request_id = entry.request_id.clone();
        // without a driver the next start processes it
        let _ = inner.inputs.send(AsyncInput::Accepted(id, entry));
        Ok(request_id)
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

    /// Changes the concurrency of a function.
    pub fn limit(&self, function: &str, max: NonZeroUsize) {
        // ignored without a driver
        let _ = self
            .0
            .inputs
            .send(AsyncInput::Limited(function.to_owned(), max.get()));
    }
}
