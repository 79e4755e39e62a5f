//! Queues, and the mappings that read them.

use std::collections::BTreeMap;
use std::time::Duration;

use event_sources::filter::Filters;

/// How long a received message is hidden where a queue says nothing.
pub const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);

/// A queue of the template: made at the start if it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Logical id.
    pub id: String,
    /// `QueueName`, or stack and logical id.
    pub name: String,
    /// ARN, as references to it yield.
    pub arn: String,
    /// Order within a message group is kept; the name ends with `.fifo`.
    pub fifo: bool,
    /// `VisibilityTimeout`: how long a received message is hidden from other receivers.
    pub visibility: Duration,
    /// What else the queue is made with, in the service's own words (`DelaySeconds`: `"5"`); the visibility timeout is among them.
    pub attributes: BTreeMap<String, String>,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// `RedrivePolicy` of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub target: String,
    /// `maxReceiveCount`: receives of one message, after which it moves.
    pub max_receives: u32,
}

/// An event source mapping from a queue to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqsMapping {
    /// Logical id of the mapping (function id and event name for events written inside a function).
    pub id: String,
    /// Function's logical id.
    pub function: String,
    /// ARN of the queue, as the event carries it.
    pub queue_arn: String,
    /// Messages in one invocation at most, 1..=10,000. Default 10.
    pub batch_size: u32,
    /// Most time to gather a batch. Zero: invoke as soon as messages wait.
    pub batching_window: Duration,
    /// `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub partial_responses: bool,
    /// `ScalingConfig.MaximumConcurrency`: invocations by this mapping at one time; `None`: as many as the function may have.
    pub max_concurrency: Option<u32>,
    /// `FilterCriteria`, about `body`; `None`: the function sees every message.
    pub filters: Option<Filters>,
    /// Enabled: false maps but does not poll.
    pub enabled: bool,
}

impl SqsMapping {
    /// The queue's name: the last part of its ARN.
    pub fn queue_name(&self) -> &str {
        name_of(&self.queue_arn)
    }

    /// Whether the queue keeps order within a message group.
    pub fn fifo(&self) -> bool {
        is_fifo(self.queue_name())
    }
}

impl Redrive {
    /// The dead-letter queue's name.
    pub fn target_name(&self) -> &str {
        name_of(&self.target)
    }
}

/// The queue that an ARN names.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit_once(':').map_or(arn, |(_, name)| name)
}

/// Whether a queue of this name is a FIFO queue: the service goes by the name, too.
pub fn is_fifo(name: &str) -> bool {
    // exactly so, as the service has it
    name.strip_suffix(".fifo").is_some()
}
