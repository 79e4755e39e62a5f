//! One batch: read, stored, answered for, settled.

use std::time::{Duration, Instant};

use shared::gate::Gate;
use shared::ingest::kafka::Batch;
use shared::store::{Decision, Store, StoredBatch};
use shared::telemetry::MetricLine;
use shared::worker::{Counts, Failures, Ledger, NextStep, Outcome, Reason};

use crate::arrivals::arrivals;
use crate::settings::Settings;
use crate::settle::{Settling, settle};

/// How long the gate may take to answer. What it does not answer stays dirty.
const GATE_TIMEOUT: Duration = Duration::from_secs(2);

/// Order-create: adapters and settings. One a process.
#[derive(Debug)]
pub struct Creator {
    settings: Settings,
    store: Store,
    gate: Gate,
}

impl Creator {
    /// With real adapters; both connect when first used.
    pub fn open(settings: Settings) -> Result<Self, lambda_runtime::Error> {
        let store = Store::connect(settings.database.as_str(), &settings.names, settings.connections)?;
        let gate = Gate::connect(settings.redis.as_str(), settings.names.clone(), GATE_TIMEOUT)?;
        Ok(Self { settings, store, gate })
    }

    /// Handles a batch and says which records are to come again. Everything it does not name is durable.
    pub async fn handle(&self, batch: &Batch) -> Failures {
        let began = Instant::now();
        let arrivals = arrivals(batch);
        let min_pay_ms = u64::try_from(self.settings.min_pay_window.as_millis()).unwrap_or(u64::MAX);
        let stored = self.store.store_orders(&arrivals, min_pay_ms).await;
        let store_time = began.elapsed();
        raise_alarms(batch, &stored);
        let ledger = outcomes(batch, &stored);
        let settling = settle(&self.gate, &self.store, &stored).await;
        self.measure(&stored, ledger.counts(), &settling, store_time, began.elapsed());
        ledger.failures()
    }

    fn measure(&self, stored: &StoredBatch<'_>, counts: Counts, settling: &Settling, store: Duration, all: Duration) {
        let of = |wanted: fn(&Decision) -> bool| stored.orders.iter().filter(|order| wanted(&order.decision)).count() as u64;
        MetricLine::new(&self.settings.names)
            .count("OrdersCreated", of(|d| *d == Decision::Created))
            .count("OrdersRejected", of(|d| matches!(d, Decision::Rejected { .. })))
            .count("OrdersRepeated", of(|d| *d == Decision::AlreadyThere))
            .count("RecordsParked", counts.parked as u64)
            .count("RecordsToRetry", counts.failed as u64)
            .count("OrdersUnsettled", settling.unsettled as u64)
            .count("PaymentsMatched", settling.paid as u64)
            .milliseconds("StoreTime", store.as_secs_f64() * 1e3)
            .milliseconds("BatchTime", all.as_secs_f64() * 1e3)
            .emit();
    }
}

/// The outcome of every record. All before the first that was not dealt with are durable: stored, found, or parked.
fn outcomes<'a>(batch: &'a Batch, stored: &StoredBatch<'_>) -> Ledger<'a> {
    let mut ledger = Ledger::new(batch);
    let durable = stored.unfinished.as_ref().map_or(batch.len(), |rest| rest.from);
    for at in 0..durable {
        ledger.note(at, Outcome::Done);
    }
    for (at, reason) in &stored.parked {
        ledger.note(*at, Outcome::Park(reason.clone()));
        ledger.parked(*at);
    }
    if let Some(rest) = &stored.unfinished {
        let reason = Reason::new(&rest.error);
        for at in rest.from..batch.len() {
            ledger.note(at, Outcome::Retry(reason.clone()));
        }
    }
    ledger
}

/// What somebody should look at.
fn raise_alarms(batch: &Batch, stored: &StoredBatch<'_>) {
    for (at, reason) in &stored.parked {
        if let Some(record) = batch.get(*at) {
            let (topic, partition, offset) = (record.topic, record.partition, record.offset);
            tracing::error!(alarm = "record_parked", topic, partition, offset, %reason, "a record was set aside");
        }
    }
    for (topic, partition) in &stored.recreated {
        tracing::error!(alarm = "topic_recreated", topic, partition, "offsets started again: the topic was created anew");
    }
    if let Some(rest) = &stored.unfinished {
        let records = batch.len() - rest.from;
        if rest.error.class.next_step() == (NextStep::RetryLater { alarm: false }) {
            tracing::warn!(error = %rest.error, records, "to be delivered again");
        } else {
            tracing::error!(alarm = "store_failed", error = %rest.error, records, "to be delivered again");
        }
    }
}
