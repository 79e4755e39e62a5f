//! What may be changed of a running mapping.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::stream::Partition;

/// Settings that a mapping, of a stream or of a queue, takes over while it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSettings {
    /// Records or messages in one invocation at most.
    pub batch_size: usize,
    /// Most time to wait for a full batch.
    pub window: Duration,
    /// Invocations at one time at most, as the function has them.
    pub concurrency: usize,
    /// Start no invocation; stay in the group.
    pub paused: bool,
    /// The same for these partitions of a Kafka mapping.
    pub paused_partitions: BTreeSet<Partition>,
}
