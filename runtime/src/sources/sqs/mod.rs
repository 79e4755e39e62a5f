//! SQS: the template's queues, and event source mappings from queues to functions.
//!
//! `queues` creates the queues that the template declares. A message passes through these files in
//! this order: `client` receives it, `encode` writes it as JSON, `driver` feeds the machine of
//! [`event_sources::queue`] and invokes the function, `settlement` deletes, hides or releases it.
//! `status` holds the progress, `report` is what the host shows of it, `depth` requests the number of
//! waiting messages.
//!
//! - A message is deleted only after its function processed it. Failed messages are left to the
//!   queue's visibility timeout and redrive policy.
//! - Messages are received only when the function can begin soon, and stay hidden until it has
//!   begun, so that no receive is counted without an invocation.
//! - The mapping waits for an endpoint that does not answer. A drain finishes received messages.

mod batches;
pub(crate) mod client;
pub(crate) mod dead_letters;
mod depth;
mod describe;
mod driver;
mod encode;
mod event_source;
mod kind;
mod outgoing;
mod queues;
mod report;
mod settlement;
mod status;
pub(crate) mod text;

use std::sync::Arc;
use std::time::Duration;

use crate::invocation::{Invoker, MAX_PAYLOAD};
pub(crate) use client::POLL;
pub use client::{Sqs, SqsError};
pub use dead_letters::DeadLetter;
pub use event_source::SqsEventSource;
use event_sources::queue::QueueSettings;
pub use kind::SqsSourceKind;
pub use outgoing::OutgoingMessage;
pub use queues::{ensure, missing};
use sam_template::model::{Queue, SqsMapping};
use status::SqsProgress;
pub use status::SqsStatus;

/// Maximum of concurrent requests of one mapping.
const MAX_RECEIVES: usize = 10;

/// Minimum visibility timeout of a message that waits for its function: the queue counts whole
/// seconds.
const MIN_HIDDEN: Duration = Duration::from_secs(3);

/// Limits and services of the host for a mapping.
#[derive(Debug, Clone)]
pub struct SqsLimits {
    /// Concurrent invocations of the function.
    pub concurrency: usize,
    /// The function's timeout.
    pub timeout: Duration,
    /// Visibility timeout of the queue.
    pub visibility: Duration,
    /// Maximum time of a drain.
    pub drain: Duration,
}

/// What the runs of a mapping share.
struct SqsSource {
    mapping: SqsMapping,
    settings: QueueSettings,
    /// Maximum time of a drain.
    drain: Duration,
    sqs: Sqs,
    queues: Arc<[Queue]>,
    invoker: Invoker,
    progress: Arc<SqsProgress>,
}

fn settings(mapping: &SqsMapping, limits: &SqsLimits) -> QueueSettings {
    let own = mapping
        .max_concurrency
        .map_or(usize::MAX, |max| max as usize);
    QueueSettings {
        batch_size: mapping.batch_size as usize,
        window: mapping.batching_window,
        max_payload: MAX_PAYLOAD,
        envelope: encode::ENVELOPE,
        concurrency: limits.concurrency.min(own),
        max_receives: MAX_RECEIVES,
        poll: POLL,
        hidden: limits.visibility.max(MIN_HIDDEN),
        timeout: limits.timeout,
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
    }
}
