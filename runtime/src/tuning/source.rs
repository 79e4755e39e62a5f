//! The settings of a source that may change while it runs, as the application has them.

use std::error::Error;
use std::time::Duration;

use serde_json::Value;

use super::Setting;

/// The settings of a source that may change while it runs, as the application has them.
#[derive(Debug, Clone)]
pub struct TunableSource {
    /// Logical id.
    pub id: String,
    /// Logical id of the function.
    pub function: String,
    /// What `GET /_usher/settings` calls sources of its kind (`subject`).
    pub subject: Value,
    /// Records or messages in one invocation at most.
    pub batch_size: u32,
    /// Longest wait for a full batch, whole milliseconds.
    pub window: Duration,
    /// The window that replaces one of zero with the service's timing (`--aws-timing`).
    pub service_window: Duration,
    /// Limit of concurrent invocations of the source's own, beside that of its function.
    pub max_concurrency: Option<u32>,
    /// What the source is divided into, if parts of it can be paused: the topics whose partitions
    /// it reads.
    pub units: Option<Vec<String>>,
    /// What its kind requires of batch size and window together.
    pub rule: BatchRule,
}

/// A pure rule of a kind of source about batch size and window of one source.
pub type BatchRule = fn(BatchSettings) -> Result<(), BatchRefusal>;

/// Why a rule refuses them. Each kind has errors of its own, which are shown and not matched. The
/// text ends without a full stop.
pub type BatchRefusal = Box<dyn Error + Send + Sync>;

/// Batch size and window of a source as a change would leave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// Records or messages in one invocation at most.
    pub size: u32,
    /// Longest wait for a full batch.
    pub window: Duration,
    /// The setting that changes.
    pub changed: Setting,
}

impl BatchSettings {
    /// The rule of a kind whose size and window are independent of each other.
    ///
    /// # Errors
    /// None.
    pub fn independent(self) -> Result<(), BatchRefusal> {
        Ok(())
    }
}
