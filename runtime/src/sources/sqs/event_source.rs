//! One opened mapping, as the host sees it.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::{Queue, SqsMapping};
use tokio::sync::watch;

use super::client::Sqs;
use super::driver::SqsDriver;
use super::status::{SqsProgress, SqsStatus};
use super::{SqsLimits, SqsSource, settings};
use crate::invocation::Invoker;
use crate::sources::error::SourceError;
use crate::sources::source::EventSource;
use crate::sources::status::SourceStatus;
use crate::sources::tuned::SettingsSender;
use crate::supervision::DrainStage;
use crate::tuning::SourceSettings;

/// An opened mapping.
pub struct SqsEventSource {
    runs: Arc<SqsSource>,
    settings: SettingsSender,
}

impl SqsEventSource {
    /// A mapping that receives nothing yet. `queues` are the template's; they are created again if
    /// the server loses them.
    pub fn new(
        mapping: SqsMapping,
        limits: &SqsLimits,
        sqs: Sqs,
        queues: Arc<[Queue]>,
        invoker: Invoker,
    ) -> Self {
        let runs = SqsSource {
            settings: settings(&mapping, limits),
            drain: limits.drain,
            progress: Arc::new(SqsProgress::new(&mapping)),
            mapping,
            sqs,
            queues,
            invoker,
        };
        Self {
            runs: Arc::new(runs),
            settings: SettingsSender::default(),
        }
    }

    /// A snapshot of counters and health.
    pub fn snapshot(&self) -> SqsStatus {
        self.runs.progress.snapshot()
    }
}

impl EventSource for SqsEventSource {
    fn component(&self) -> String {
        format!("mapping {}", self.runs.mapping.id)
    }

    fn id(&self) -> Option<&str> {
        Some(&self.runs.mapping.id)
    }

    fn run(&self, stopping: watch::Receiver<bool>) -> BoxFuture<'static, Result<(), SourceError>> {
        let driver = SqsDriver::new(self.runs.clone(), stopping);
        let run = driver.run(self.settings.of_run());
        async move { run.await.map_err(SourceError::ended) }.boxed()
    }

    fn drain(&self) -> DrainStage {
        DrainStage::BeforeFunctions
    }

    fn status(&self) -> Vec<SourceStatus> {
        vec![self.snapshot().into()]
    }

    fn tune(&self, settings: &SourceSettings) {
        self.settings.set(settings);
    }
}
