//! The event source mapping of a queue as a pure state machine: no queue, no function, no clock.
//!
//! Requests go out ([`QueueAction::Receive`]) and messages come back ([`QueueInput::Received`]); invocations go out and their results
//! come back; what is done is deleted, and everything else is left to the queue, whose visibility timeout brings it again
//! and whose redrive policy ends that. `machine` decides when to ask and what travels together; `batch` cuts batches;
//! `settle` says what a result means for each message; `response` reads a partial batch response.
//!
//! Promises, each a property in the tests:
//! - a message is deleted only if it was in an invocation that succeeded and did not name it, and (FIFO) no message of its
//!   group before it failed;
//! - every message received is settled exactly once: deleted, left, or released;
//! - the permit comes before the message: a request is made only for as many messages as can be invoked at once;
//! - a message that was received stays hidden until its function begins, however long an instance takes to start, and is not given back
//!   before: each receive counts towards the dead-letter queue, so a message could end there that no function was invoked with;
//! - while a permit is free and nothing has failed, at least one request is out; without news there is exactly one.
//!
//! Two exceptions: a batch of a FIFO queue that is cut by size (6 MB) gives what follows in the same receive back, in order; and an
//! invocation that the host itself ends gives its messages back.
//!
//! Choices where the service's documentation is silent: in a FIFO batch what follows a failed message of its group is kept,
//! even where the function reports it as done; it is left rather than released, because the queue holds a group back only
//! while a message of it is hidden.

mod batch;
mod machine;
mod response;
mod settle;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod model_tests;

use std::sync::Arc;
use std::time::Duration;

use crate::{InvocationId, SourceSettings};
pub use machine::QueueMachine;
pub use response::failed_messages;

/// Names a received message. The same message received twice has two keys.
pub type MessageKey = u64;

/// Names a request between [`QueueAction::Receive`] and its answer.
pub type ReceiveId = u64;

/// Messages that one receive yields at most: the service's limit.
pub const MAX_RECEIVED: usize = 10;

/// What a mapping is about, for the status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueOverview {
    /// Requests for messages that are out.
    pub receives: usize,
    /// Messages at the function.
    pub in_flight: usize,
    /// Messages that wait for a batch to fill, or for the function.
    pub held: usize,
}

/// What the machine knows of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// Its name here.
    pub key: MessageKey,
    /// Bytes of its JSON within the event, the comma included.
    pub size: usize,
    /// `MessageGroupId` of a FIFO queue.
    pub group: Option<Arc<str>>,
}

/// How a mapping behaves.
#[derive(Debug, Clone)]
pub struct QueueSettings {
    /// Messages in one invocation at most.
    pub batch_size: usize,
    /// Most time to gather a batch; zero: what one receive yields is invoked at once.
    pub window: Duration,
    /// Bytes of an event at most; a larger single message travels alone.
    pub max_payload: usize,
    /// Bytes of an event around its messages.
    pub envelope: usize,
    /// Invocations at one time: the permits. 0: nothing is ever received.
    pub concurrency: usize,
    /// Requests at one time at most. One is out while there is little to do.
    pub max_receives: usize,
    /// Longest wait of one request for messages.
    pub poll: Duration,
    /// How long the queue hides a message when it is received, and at each later request to hide it.
    pub hidden: Duration,
    /// The function's timeout: so long a message has to stay hidden from the moment at which the function begins.
    pub timeout: Duration,
    /// Pause after a failed request, or a batch that found no function; doubles with every further one.
    pub backoff: Duration,
    /// The pause grows no longer than this.
    pub max_backoff: Duration,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum QueueInput {
    /// A request was answered, perhaps with nothing.
    Received(ReceiveId, Vec<QueueMessage>),
    /// A request failed.
    ReceiveFailed(ReceiveId),
    /// An instance of the function took an invocation over.
    Begun(InvocationId),
    /// An invocation ended.
    Finished(InvocationId, QueueBatchResult),
    /// Somebody changed how the mapping behaves. What was received is still finished while it is paused.
    Tuned(SourceSettings),
    /// Receive nothing any more. What was received is still invoked.
    Drain,
    /// Time passed.
    Tick,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueBatchResult {
    /// The function answered; these messages failed (none: all are done).
    Answered(Vec<MessageKey>),
    /// The function failed, or its answer made no sense: all of the batch failed.
    Failed,
    /// The function did not begin, or the host ended the invocation. The messages go back at once.
    NotInvoked,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueueAction {
    /// Ask the queue.
    Receive {
        /// Comes back with the answer.
        id: ReceiveId,
        /// Messages at most.
        most: usize,
        /// How long the queue may wait for the first one; whole seconds.
        wait: Duration,
    },
    /// Invoke the function with these messages, in this order.
    Invoke {
        /// Comes back with the result.
        id: InvocationId,
        /// The batch.
        batch: Vec<MessageKey>,
    },
    /// They wait for the function, which has not begun: the queue is to hide them again, for [`QueueSettings::hidden`].
    Extend(Vec<MessageKey>),
    /// They are done.
    Delete(Vec<MessageKey>),
    /// They failed: the queue shows them again when their visibility timeout is over.
    Leave(Vec<MessageKey>),
    /// Nobody has seen them: the queue is to show them again now.
    Release(Vec<MessageKey>),
}
