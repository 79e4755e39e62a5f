//! SQS queues and their event source mappings.

use std::collections::BTreeMap;
use std::time::Duration;

use event_sources::filter::Filters;

/// `VisibilityTimeout` of a queue that sets none.
pub const DEFAULT_VISIBILITY: Duration = Duration::from_secs(30);

/// A queue of the template. The host creates it at startup if it does not exist.
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
    /// Attributes for `CreateQueue` (`DelaySeconds`: `"5"`), including the visibility timeout.
    pub attributes: BTreeMap<String, String>,
    /// `RedrivePolicy`.
    pub redrive: Option<Redrive>,
}

/// `RedrivePolicy` of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    /// ARN of the dead-letter queue.
    pub target: String,
    /// `maxReceiveCount`: receives of one message before it moves to the dead-letter queue.
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
    /// Longest wait for a full batch. Zero: invoke as soon as messages arrive.
    pub batching_window: Duration,
    /// `FunctionResponseTypes` contains `ReportBatchItemFailures`.
    pub partial_responses: bool,
    /// `ScalingConfig.MaximumConcurrency`: concurrent invocations by this mapping; `None`: limited
    /// by the function only.
    pub max_concurrency: Option<u32>,
    /// `FilterCriteria` on `body`; `None`: the function receives every message.
    pub filters: Option<Filters>,
    /// `Enabled`: a disabled mapping is listed but not polled.
    pub enabled: bool,
}

impl SqsMapping {
    /// The queue's name: the last part of its ARN.
    pub fn queue_name(&self) -> &str {
        name_of(&self.queue_arn)
    }

    /// Whether the queue is FIFO.
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

/// Name of the queue in an ARN.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit_once(':').map_or(arn, |(_, name)| name)
}

/// Whether a queue of this name is FIFO. SQS decides by the name as well.
pub fn is_fifo(name: &str) -> bool {
    // The suffix is case-sensitive, as on SQS.
    name.strip_suffix(".fifo").is_some()
}
