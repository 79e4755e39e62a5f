//! SQS: the template's queues, and event source mappings from queues to functions.
//!
//! `queues` makes what the template declares. A message then passes through these files in this order: `client` receives it,
//! `encode` writes it as JSON, `driver` hands it to the pure machine of `mapping` and its batch to the function, and
//! `settlement` tells the queue what became of it; `status` shows how far it all is and how it fares, `counting` requests how many messages wait.
//!
//! Promises: a message is deleted only when the function is done with it; what failed is left to the queue's own visibility
//! timeout and redrive policy; messages are received only when the function can begin soon, and are kept hidden until it has begun, so none
//! is counted as received that no function was invoked with; an endpoint that goes away is waited for; a drain finishes what was received.

mod client;
mod counting;
mod dead_letters;
mod driver;
mod encode;
mod notes;
mod queues;
mod settlement;
mod status;
pub(crate) mod text;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::invocation::{Invoker, MAX_PAYLOAD};
use crate::supervision::{ComponentRegistry, supervise};
use crate::tuning::SourceSettings;
pub use client::{Sqs, Wrong};
pub use dead_letters::DeadLetter;
use driver::Driver;
use event_sources::queue::{QueueMachine, QueueSettings};
pub use notes::Note;
pub use queues::{ensure, missing};
use sam_template::model::{Queue, SqsMapping};
use status::Progress;
pub use status::SqsStatus;

/// Longest wait of one request for messages. The service's pollers wait 20 s. A host that is stopped or killed leaves its last
/// request behind, though, and a server may still answer that with a message that nobody gets before its visibility is
/// over; two seconds keep a drain, and that gap, short.
pub(crate) const POLL: Duration = Duration::from_secs(2);

/// Requests of one mapping at one time at most.
const MOST_RECEIVES: usize = 10;

/// A message that waits for its function is hidden for so long at least, however short the queue's own time: the queue counts in seconds.
const LEAST_HIDDEN: Duration = Duration::from_secs(3);

/// What a mapping needs of its host.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Invocations of the function at one time.
    pub concurrency: usize,
    /// The function's timeout.
    pub timeout: Duration,
    /// How long the queue hides a received message.
    pub visibility: Duration,
    /// Time a drain waits for batches in flight.
    pub drain: Duration,
    /// Where the mapping is registered as a part of its host.
    pub parts: ComponentRegistry,
}

/// A running mapping.
#[derive(Debug)]
pub struct Handle {
    watch: Watch,
    tune: watch::Sender<Option<SourceSettings>>,
    task: JoinHandle<Result<(), String>>,
}

/// A view of a mapping, for the status.
#[derive(Debug, Clone)]
pub struct Watch {
    mapping: Arc<SqsMapping>,
    progress: Arc<Progress>,
}

impl Watch {
    /// How far it is.
    pub fn status(&self) -> SqsStatus {
        SqsStatus {
            mapping: self.mapping.id.clone(),
            function: self.mapping.function.clone(),
            queue: self.mapping.queue_name().to_owned(),
            ..self.progress.snapshot()
        }
    }
}

impl Handle {
    /// A view that outlives this handle.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// How far it is.
    pub fn status(&self) -> SqsStatus {
        self.watch.status()
    }

    /// Changes how it behaves from now on; lives as long as the mapping.
    pub fn tuner(&self) -> watch::Sender<Option<SourceSettings>> {
        self.tune.clone()
    }

    /// Waits until the mapping has drained.
    ///
    /// # Errors
    /// It could not drain. Says which mapping and why.
    pub async fn ended(self) -> Result<(), String> {
        self.task
            .await
            .unwrap_or_else(|error| Err(format!("mapping {}: {error}", self.watch.mapping.id)))
    }
}

/// Starts a mapping. It drains when `shutdown` turns true. `queues` are the template's: should the server lose them, they
/// are made again.
pub fn start(
    mapping: SqsMapping,
    limits: &Limits,
    sqs: Sqs,
    queues: Arc<[Queue]>,
    invoker: Invoker,
    shutdown: watch::Receiver<bool>,
) -> Handle {
    let settings = settings(&mapping, limits);
    let drain = limits.drain;
    let watch = Watch {
        mapping: Arc::new(mapping),
        progress: Arc::default(),
    };
    let (tune, tuned) = watch::channel(None);
    let part = limits
        .parts
        .component(format!("mapping {}", watch.mapping.id));
    let run = {
        let watch = watch.clone();
        let shutdown = shutdown.clone();
        move || {
            let machine = QueueMachine::new(settings.clone());
            let mapping = watch.mapping.clone();
            let progress = watch.progress.clone();
            let driver = Driver::new(
                mapping,
                machine,
                sqs.clone(),
                queues.clone(),
                invoker.clone(),
                progress,
                shutdown.clone(),
            );
            let mut tuned = tuned.clone();
            if tuned.borrow().is_some() {
                // what was set during an earlier run holds for this one, too
                tuned.mark_changed();
            }
            driver.run(tuned, drain)
        }
    };
    let task = tokio::spawn(supervise(part, shutdown, run));
    Handle { watch, tune, task }
}

fn settings(mapping: &SqsMapping, limits: &Limits) -> QueueSettings {
    let own = mapping
        .max_concurrency
        .map_or(usize::MAX, |most| most as usize);
    QueueSettings {
        batch_size: mapping.batch_size as usize,
        window: mapping.batching_window,
        max_payload: MAX_PAYLOAD,
        envelope: encode::ENVELOPE,
        concurrency: limits.concurrency.min(own),
        max_receives: MOST_RECEIVES,
        poll: POLL,
        hidden: limits.visibility.max(LEAST_HIDDEN),
        timeout: limits.timeout,
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
    }
}
