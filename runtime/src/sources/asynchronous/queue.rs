//! Accepts events.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::driver::AsyncDriver;
use super::error::{EventStoreError, OpenError};
use super::settings::AsyncSettings;
use super::stats::EventHealth;
use super::store::{EventChange, EventStore};
use crate::clock::now;
use crate::ids::new_id;
use crate::lock::lock;
use event_sources::asynchronous::{
    AcceptedEvent, AsyncInput, AsyncMachine, EventId, EventInvokePolicy, EventStage,
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
    Store(#[source] EventStoreError),
}

/// Accepts events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AsyncQueue(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: EventStore,
    next: AtomicU64,
    pub(super) settings: AsyncSettings,
    pub(super) machine: Mutex<AsyncMachine>,
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
pub fn open(
    folder: &Path,
    settings: &AsyncSettings,
) -> Result<(AsyncQueue, AsyncDriver), OpenError> {
    let (store, found, _) = EventStore::open(folder)?;
    log_found(&found, &settings.policies);
    let (inputs, arriving) = mpsc::unbounded_channel();
    let health = settings.policies.keys().cloned();
    let queue = AsyncQueue(Arc::new(Shared {
        store,
        next: AtomicU64::new(found.last().map_or(0, |(id, _)| id + 1)),
        settings: settings.clone(),
        machine: Mutex::new(AsyncMachine::new(
            settings.policies.clone(),
            settings.timing,
        )),
        inputs,
        lost: Mutex::default(),
        health: Mutex::new(
            health
                .map(|function| (function, EventHealth::default()))
                .collect(),
        ),
    }));
    for (id, entry) in found {
        queue.0.send(AsyncInput::Accepted(id, entry));
    }
    let driver = AsyncDriver {
        queue: queue.clone(),
        arriving: Arc::new(tokio::sync::Mutex::new(arriving)),
    };
    Ok((queue, driver))
}

fn log_found(found: &[(EventId, AcceptedEvent)], policies: &BTreeMap<String, EventInvokePolicy>) {
    if !found.is_empty() {
        tracing::info!(
            events = found.len(),
            "asynchronous events of an earlier run continue"
        );
    }
    let mut gone: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, entry) in found {
        if !policies.contains_key(&entry.function) {
            *gone.entry(&entry.function).or_default() += 1;
        }
    }
    for (function, events) in gone {
        tracing::warn!(
            function,
            events,
            "the template no longer has this function; its events are kept and do not run"
        );
    }
}

impl Shared {
    /// Passes an input to the driver. Without one the next start processes the event.
    fn send(&self, input: AsyncInput) {
        let _ = self.inputs.send(input);
    }
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
        if !inner.settings.policies.contains_key(&function) {
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
        inner.send(AsyncInput::Accepted(id, entry));
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
        let input = AsyncInput::Limited(function.to_owned(), max.get());
        self.0.send(input);
    }
}
