//! The settings of a source that may change while it runs, as the application has them.

use std::time::Duration;

use super::SettingTarget;

/// The settings of a source that may change while it runs, as the application has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunableSource {
    /// The kind of the target.
    pub subject: SettingTarget,
    /// Records or messages in one invocation at most.
    pub batch_size: u32,
    /// Longest wait for a full batch, whole seconds.
    pub window: Duration,
    /// The window that replaces one of zero with the service's timing (`--aws-timing`).
    pub service_window: Duration,
    /// Limit of concurrent invocations of the source's own, beside that of its function.
    pub max_concurrency: Option<u32>,
    /// What the source is divided into, if parts of it can be paused: the topics whose partitions
    /// it reads.
    pub units: Option<Vec<String>>,
}
