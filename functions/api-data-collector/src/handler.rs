//! One batch: read and added; then rows that are too old are deleted.

use std::time::Instant;

use lambda_batch::{BatchResponse, KafkaBatch};
use shared::access::Access;
use shared::api_calls::DeletedCalls;
use shared::store::{Arrival, Store};
use shared::telemetry::MetricLine;

use crate::retention::RetentionTimer;
use crate::settings::Settings;

/// Api-data-collector: adapter and settings. One per process.
#[derive(Debug)]
pub struct Collector {
    settings: Settings,
    store: Store,
    retention_timer: RetentionTimer,
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
        Ok(Self {
            settings,
            store,
            retention_timer: RetentionTimer::default(),
        })
    }

    /// Handles a batch and returns the records to deliver again. All others are durable.
    pub async fn handle(&self, batch: &KafkaBatch) -> BatchResponse {
        let began = Instant::now();
        let arrivals: Vec<Arrival<_>> = batch.records().map(Arrival::read).collect();
        let collected = self
            .store
            .collect_calls(&arrivals, self.settings.caps)
            .await;
        let store_time = began.elapsed();
        collected.result().raise_alarms(batch);
        let ledger = collected.result().ledger(batch);
        // A store that is unavailable or slow gets no further work.
        let forgotten = match collected.unfinished {
            None => {
                self.retention_timer
                    .forget(&self.store, &self.settings.retention)
                    .await
            }
            Some(_) => DeletedCalls::default(),
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
            .milliseconds("CollectTime", store_time.as_secs_f64() * 1e3)
            .milliseconds("CollectBatchTime", began.elapsed().as_secs_f64() * 1e3)
            .emit();
        ledger.response()
    }
}
