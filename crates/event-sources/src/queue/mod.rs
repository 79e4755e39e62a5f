//! The event source mapping of a queue as a pure state machine. No queue, no function, no clock.
//!
//! The driver executes requests for messages ([`QueueAction::Receive`]) and invocations, and
//! reports their results. Processed messages are deleted. All others are left to the queue: its
//! visibility timeout makes them available again, and its redrive policy bounds the number of
//! receives. `machine` decides when to receive and what travels together, `batch` forms batches,
//! `settle` derives the end of each message from a result, `response` reads a partial batch
//! response.
//!
//! Invariants, each a property test:
//! - A message is deleted only if its invocation succeeded and did not name it, and (FIFO) if no
//!   earlier message of its group failed.
//! - Every received message is settled exactly once: deleted, left, or released.
//! - The permit comes before the message: a request is made only for as many messages as can be
//!   invoked at once.
//! - A received message stays hidden until its function begins, however long an instance takes to
//!   start, and is not released before. Each receive counts towards the dead-letter queue, where
//!   the message could end without any invocation.
//! - While a permit is free and no request has failed, at least one request is open; exactly one
//!   while the queue is empty.
//!
//! Two exceptions: when a batch of a FIFO queue is cut by size (6 MB), the messages behind the cut
//! are released in order; an invocation that the host ends releases its messages.
//!
//! Choices where the service's documentation is silent: in a FIFO batch the messages that follow a
//! failed one of their group are kept, even if the function reports them as processed. They are
//! left rather than released, because the queue holds a group back only while one of its messages
//! is hidden.

mod batch;
mod machine;
mod response;
mod settle;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod lifecycle_tests;
#[cfg(test)]
mod model_for_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod visibility_tests;

use std::sync::Arc;
use std::time::Duration;

use crate::{BatchResult, InvocationId, SourceSettings};
pub use machine::QueueMachine;
pub use response::failed_messages;

/// Identifies a received message. A message that is received twice has two keys.
pub type MessageKey = u64;

/// Identifies a request between [`QueueAction::Receive`] and its answer.
pub type ReceiveId = u64;

/// Maximum of messages in one receive: the service's limit.
pub const MAX_RECEIVED: usize = 10;

/// Counts of a mapping, for the status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueOverview {
    /// Open requests for messages.
    pub receives: usize,
    /// Messages at the function.
    pub in_flight: usize,
    /// Messages that wait for their batch to fill, or for the function.
    pub held: usize,
}

/// A message, as far as the machine needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Identifies it in inputs and actions.
    pub key: MessageKey,
    /// Bytes of its JSON within the event, comma included.
    pub size: usize,
    /// `MessageGroupId` of a FIFO queue.
    pub group: Option<Arc<str>>,
}

/// Settings of a mapping.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// Maximum of messages in one invocation.
    pub batch_size: usize,
    /// Maximum time to gather a batch. Zero: each receive is invoked at once.
    pub window: Duration,
    /// Maximum bytes of an event. A larger single message travels alone.
    pub max_payload: usize,
    /// Bytes of an event around its messages.
    pub envelope: usize,
    /// Concurrent invocations: the permits. 0: nothing is received.
    pub concurrency: usize,
    /// Maximum of concurrent requests. One suffices while the queue is nearly empty.
    pub max_receives: usize,
    /// Maximum wait of one request for messages.
    pub poll: Duration,
    /// Visibility timeout that each receive and each [`QueueAction::Extend`] sets.
    pub hidden: Duration,
    /// The function's timeout: a message stays hidden for so long after the function began.
    pub timeout: Duration,
    /// Pause after a failed request, or a batch that was not invoked; doubles with every further
    /// one.
    pub backoff: Duration,
    /// Upper bound of the pause.
    pub max_backoff: Duration,
}

/// An event of the world outside.
#[derive(Debug, Clone)]
pub enum QueueInput {
    /// A request returned these messages; possibly none.
    Received(ReceiveId, Vec<QueueMessage>),
    /// A request failed.
    ReceiveFailed(ReceiveId),
    /// An instance of the function began an invocation.
    Begun(InvocationId),
    /// An invocation ended.
    Finished(InvocationId, QueueBatchResult),
    /// The settings changed. A paused mapping still finishes what was received.
    Tuned(SourceSettings),
    /// Receive nothing more. What was received is still invoked.
    Drain,
    /// Time passed.
    Tick,
}

/// How the invocation of a batch ended. One that was not invoked is released.
pub type QueueBatchResult = BatchResult<MessageKey>;

/// What the driver must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueAction {
    /// Request messages from the queue.
    Receive {
        /// Returned in [`QueueInput::Received`] or [`QueueInput::ReceiveFailed`].
        id: ReceiveId,
        /// Maximum of messages.
        max: usize,
        /// How long the queue may wait for the first message; whole seconds.
        wait: Duration,
    },
    /// Invoke the function with these messages, in this order.
    Invoke {
        /// Returned in [`QueueInput::Begun`] and [`QueueInput::Finished`].
        id: InvocationId,
        /// The batch.
        batch: Vec<MessageKey>,
    },
    /// Set their visibility timeout to [`QueueSettings::hidden`] again: the function has not begun.
    Extend(Vec<MessageKey>),
    /// Delete them: they are processed.
    Delete(Vec<MessageKey>),
    /// Do nothing: they failed, and are available again after their visibility timeout.
    Leave(Vec<MessageKey>),
    /// Set their visibility timeout to 0: no function has processed them.
    Release(Vec<MessageKey>),
}
