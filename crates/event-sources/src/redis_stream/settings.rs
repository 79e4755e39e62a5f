//! Settings of a mapping.

use std::time::Duration;

use crate::SourceSettings;

/// Settings of a mapping.
#[derive(Debug, Clone)]
pub struct RedisStreamSettings {
    /// Maximum of entries in one invocation.
    pub batch_size: usize,
    /// Maximum time to gather a batch. Zero: what a read returns is invoked at once.
    pub window: Duration,
    /// Maximum bytes of an event. A larger single entry travels alone.
    pub max_payload: usize,
    /// Bytes of an event around its records.
    pub envelope: usize,
    /// Concurrent invocations: the permits. 0: nothing is read.
    pub concurrency: usize,
    /// A batch that failed as a whole is retried in halves; that uses up no retry.
    pub bisect: bool,
    /// Retries after the first attempt. `None`: without limit.
    pub max_retries: Option<u32>,
    /// An entry that is older when it would travel is parked. `None`: no limit.
    pub max_age: Option<Duration>,
    /// Maximum of entries in one read.
    pub max_read: usize,
    /// Nothing is read while so many entries are held.
    pub max_held: usize,
    /// Nothing is read while the records of the held entries have so many bytes.
    pub max_held_bytes: usize,
    /// Maximum wait of one read for an entry.
    pub poll: Duration,
    /// Interval at which the idle time of held entries is restarted: a fraction of the idle time
    /// after which another consumer takes them over.
    pub hold_interval: Duration,
    /// Pause before the first retry, after a failed request, or after a batch that was not invoked;
    /// doubles with every further one.
    pub backoff: Duration,
    /// Upper bound of the pause.
    pub max_backoff: Duration,
}

impl RedisStreamSettings {
    pub(super) fn tune(&mut self, tuned: &SourceSettings) {
        self.batch_size = tuned.batch_size.max(1);
        self.window = tuned.window;
        self.concurrency = tuned.concurrency;
    }

    /// Whether an entry that failed in this attempt, counted from 1, may be tried again.
    pub(super) fn allows_retry(&self, attempt: u32) -> bool {
        self.max_retries.is_none_or(|retries| attempt <= retries)
    }
}
