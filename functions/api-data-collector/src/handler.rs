//! One batch: read and added; then rows that are too old are deleted, and files are kept few.

use std::time::{Duration, Instant};

use lambda_batch::{BatchResponse, KafkaBatch};
use shared::access::Access;
use shared::api_calls::{CallFiles, DeletedCalls};
use shared::store::{Arrival, Store};
use shared::telemetry::MetricLine;
use tokio::time::timeout;

use crate::files::{self, FileStore, Upkeep};
use crate::interval::Interval;
use crate::retention::forget;
use crate::settings::Settings;

/// Time limit of the files' upkeep after a batch. What it does not reach is done after another one.
const UPKEEP_LIMIT: Duration = Duration::from_secs(20);

/// Api-data-collector: adapter and settings. One per process.
#[derive(Debug)]
pub struct Collector {
    settings: Settings,
    store: Store,
    files: Option<FileStore>,
    retention: Interval,
    upkeep: Interval,
}

impl Collector {
    /// Opens the store, which connects when first used.
    pub fn open(settings: Settings, access: &Access) -> Result<Self, lambda_runtime::Error> {
        let names = &settings.names;
        let store = Store::open(
            &access.database(&settings.database)?,
            names,
            settings.connections,
        )?;
        let files = settings.files.as_ref();
        let objects = files.map(|files| files.open(access)).transpose()?;
        let files = objects.map(|objects| FileStore::new(objects, names));
        Ok(Self {
            settings,
            store,
            files,
            retention: Interval::default(),
            upkeep: Interval::default(),
        })
    }

    /// Handles a batch and returns the records to deliver again. All others are durable.
    pub async fn handle(&self, batch: &KafkaBatch) -> BatchResponse {
        let began = Instant::now();
        let arrivals: Vec<Arrival<_>> = batch.records().map(Arrival::read).collect();
        let collected = self
            .store
            .collect_calls_as_files(&arrivals, self.settings.caps, self.call_files())
            .await;
        let store_time = began.elapsed();
        collected.result().raise_alarms(batch);
        let ledger = collected.result().ledger(batch);
        // A store that is unavailable or slow gets no further work.
        let (forgotten, upkeep) = match collected.unfinished {
            None => (
                forget(&self.retention, &self.store, &self.settings.retention).await,
                self.keep_files().await,
            ),
            Some(_) => (DeletedCalls::default(), Upkeep::default()),
        };
        let counts = ledger.counts();
        let contended = collected.result().contended(batch.len());
        MetricLine::new(&self.settings.names)
            .count("CallsAdded", collected.added)
            .count("CallsRepeated", collected.repeated)
            .count("CallsParked", counts.parked as u64)
            .count("CallsToRetry", counts.failed as u64)
            .count("ProgressGaps", collected.gaps.len() as u64)
            .count("CallsContended", contended)
            .count("CallsForgotten", forgotten.calls)
            .count("StatisticsForgotten", forgotten.minutes)
            .count("FilesWritten", collected.files)
            .count("FilesMerged", upkeep.merged)
            .count("FilesDeleted", upkeep.deleted)
            .count("FilesFound", upkeep.found)
            .count("FileUpkeepFailed", u64::from(upkeep.failed))
            .milliseconds("CollectTime", store_time.as_secs_f64() * 1e3)
            .milliseconds("CollectBatchTime", began.elapsed().as_secs_f64() * 1e3)
            .emit();
        ledger.response()
    }

    fn call_files(&self) -> Option<&dyn CallFiles> {
        self.files.as_ref().map(|files| files as &dyn CallFiles)
    }

    /// The files' upkeep, if the interval is over. After an error the next interval tries again.
    async fn keep_files(&self) -> Upkeep {
        let (Some(files), Some(settings)) = (&self.files, &self.settings.files) else {
            return Upkeep::default();
        };
        if !self
            .upkeep
            .due(Instant::now(), self.settings.retention.every)
        {
            return Upkeep::default();
        }
        let failed = Upkeep {
            failed: true,
            ..Upkeep::default()
        };
        match timeout(UPKEEP_LIMIT, files::run(&self.store, files, settings)).await {
            Ok(Ok(upkeep)) => {
                if upkeep.more {
                    self.upkeep.continue_with_next_batch();
                }
                upkeep
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "files of API calls stay as they are until the next interval");
                failed
            }
            Err(_) => {
                tracing::warn!(
                    limit_seconds = UPKEEP_LIMIT.as_secs(),
                    "the upkeep of files of API calls took too long; the next interval continues it"
                );
                failed
            }
        }
    }
}
