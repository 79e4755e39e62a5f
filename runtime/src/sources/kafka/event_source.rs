//! One opened mapping, as the host sees it.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::KafkaMapping;
use tokio::sync::{mpsc, watch};

use super::moves::PositionMove;
use super::source::KafkaSource;
use super::status::MappingStatus;
use super::{KafkaLimits, MOVES};
use crate::invocation::Invoker;
use crate::sources::error::{PositionError, SourceError};
use crate::sources::position::PositionChange;
use crate::sources::source::EventSource;
use crate::sources::status::SourceStatus;
use crate::sources::tuned::SettingsSender;
use crate::supervision::DrainStage;
use crate::tuning::SourceSettings;

/// An opened mapping.
pub struct KafkaEventSource {
    runs: Arc<KafkaSource>,
    pub(super) moves: mpsc::Sender<PositionMove>,
    settings: SettingsSender,
}

impl KafkaEventSource {
    /// Opens a mapping: its consumer has subscribed and fetches nothing yet.
    ///
    /// # Errors
    /// A destination has no endpoint, librdkafka refuses a setting, or a state file cannot be read.
    pub fn open(
        mapping: KafkaMapping,
        limits: &KafkaLimits,
        invoker: Invoker,
    ) -> Result<Self, SourceError> {
        let subject = format!("mapping {}", mapping.id);
        let (moves, requested) = mpsc::channel(MOVES);
        let runs = KafkaSource::new(mapping, limits.clone(), invoker, requested)
            .map_err(|why| SourceError::not_opened(subject, why))?;
        limits
            .parts
            .add_thread(KafkaSource::polling_name(&runs.mapping.id));
        Ok(Self {
            runs,
            moves,
            settings: SettingsSender::default(),
        })
    }

    /// The mapping.
    pub fn mapping(&self) -> &KafkaMapping {
        &self.runs.mapping
    }

    /// A snapshot of counters, positions and health.
    pub fn snapshot(&self) -> MappingStatus {
        self.runs.progress.snapshot()
    }
}

impl EventSource for KafkaEventSource {
    fn component(&self) -> String {
        format!("mapping {}", self.mapping().id)
    }

    fn id(&self) -> Option<&str> {
        Some(&self.mapping().id)
    }

    fn run(&self, stopping: watch::Receiver<bool>) -> BoxFuture<'static, Result<(), SourceError>> {
        let run = self.runs.clone().run(self.settings.of_run(), stopping);
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

    fn change_position(
        &self,
        change: PositionChange,
    ) -> BoxFuture<'_, Result<String, PositionError>> {
        async move {
            let became = self.move_group(&change).await;
            became.map_err(PositionError::refused)
        }
        .boxed()
    }
}
