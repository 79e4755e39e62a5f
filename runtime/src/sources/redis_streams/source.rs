//! One opened source, as the host sees it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use event_sources::redis_stream::RedisStreamSettings;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis_streams::{GroupReader, Link};
use tokio::sync::watch;

use super::driver::RedisStreamDriver;
use super::encode::Origin;
use super::mapping::RedisStreamMapping;
use super::progress::RedisStreamProgress;
use crate::invocation::Invoker;
use crate::sources::error::SourceError;
use crate::sources::source::EventSource;
use crate::sources::status::SourceStatus;
use crate::sources::tuned::SettingsSender;
use crate::supervision::DrainStage;
use crate::tuning::SourceSettings;

/// What the runs of a source share.
pub(super) struct RedisStreamRuns {
    pub(super) mapping: RedisStreamMapping,
    pub(super) settings: RedisStreamSettings,
    /// Maximum time of a drain.
    pub(super) drain: Duration,
    pub(super) link: Link,
    /// Host and port of Redis, for messages.
    pub(super) server: String,
    /// The name of this host's consumer, the same after a restart.
    pub(super) consumer: String,
    pub(super) origin: Origin,
    pub(super) invoker: Invoker,
    pub(super) progress: Arc<RedisStreamProgress>,
}

impl RedisStreamRuns {
    /// This host's consumer of the group. Connects on first use.
    pub(super) fn reader(&self) -> GroupReader {
        let RedisStreamMapping { stream, group, .. } = &self.mapping;
        let settings = self.mapping.consumer();
        GroupReader::open(self.link.clone(), stream, group, &self.consumer, settings)
    }
}

/// An opened source.
pub(super) struct RedisStreamSource {
    runs: Arc<RedisStreamRuns>,
    settings: SettingsSender,
}

impl fmt::Debug for RedisStreamSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStreamSource")
            .field("mapping", &self.runs.mapping.id)
            .finish_non_exhaustive()
    }
}

impl RedisStreamSource {
    pub(super) fn new(runs: RedisStreamRuns) -> Self {
        Self {
            runs: Arc::new(runs),
            settings: SettingsSender::default(),
        }
    }
}

impl EventSource for RedisStreamSource {
    fn component(&self) -> String {
        format!("source {}", self.runs.mapping.id)
    }

    fn id(&self) -> Option<&str> {
        Some(&self.runs.mapping.id)
    }

    fn run(&self, stopping: watch::Receiver<bool>) -> BoxFuture<'static, Result<(), SourceError>> {
        let driver = RedisStreamDriver::new(self.runs.clone(), stopping);
        driver.run(self.settings.of_run()).boxed()
    }

    fn drain(&self) -> DrainStage {
        DrainStage::BeforeFunctions
    }

    fn status(&self) -> Vec<SourceStatus> {
        vec![self.runs.progress.snapshot().into()]
    }

    fn tune(&self, settings: &SourceSettings) {
        self.settings.set(settings);
    }
}
