//! One batch: read, stored, settled.

use std::time::{Duration, Instant, SystemTime};

use lambda_batch::{BatchResponse, KafkaBatch};
use shared::access::Access;
use shared::gate::Gate;
use shared::store::{Arrival, Decision, Store};
use shared::telemetry::MetricLine;
use shared::telemetry::traces::Tracer;

use crate::settings::Settings;
use crate::settle::settle;
use crate::traces;

/// Time limit of the gate. An order that it does not settle in time stays dirty.
const GATE_TIMEOUT: Duration = Duration::from_secs(2);

/// Order-create: adapters and settings. One per process.
pub struct Creator {
    settings: Settings,
    store: Store,
    gate: Gate,
    /// Exports spans.
    pub tracer: Tracer,
}

impl Creator {
    /// Opens the adapters, which connect when first used.
    pub fn open(settings: Settings, access: &Access) -> Result<Self, lambda_runtime::Error> {
        let names = &settings.names;
        let store = Store::open(
            &access.database(&settings.database)?,
            names,
            settings.connections,
        )?;
        let gate = Gate::over(access.gate(&settings.redis, GATE_TIMEOUT)?, names.clone());
        let traces = access.traces(settings.traces.as_ref())?;
        let tracer = Tracer::start(traces.as_ref(), names, Duration::ZERO);
        Ok(Self {
            settings,
            store,
            gate,
            tracer,
        })
    }

    /// Handles a batch and returns the records to deliver again. All others are durable.
    pub async fn handle(&self, batch: &KafkaBatch) -> BatchResponse {
        let began = Instant::now();
        let began_at = SystemTime::now();
        let ended_days = self.settings.ended_days;
        let read = |record| Arrival::read(record).storable_within(ended_days);
        let arrivals: Vec<Arrival> = batch.records().map(read).collect();
        let min_pay_ms =
            u64::try_from(self.settings.min_pay_window.as_millis()).unwrap_or(u64::MAX);
        let stored = self.store.store_orders(&arrivals, min_pay_ms).await;
        let store_time = began.elapsed();
        stored.result().raise_alarms(batch);
        let ledger = stored.result().ledger(batch);
        let settling = settle(&self.gate, &self.store, &stored).await;
        let counts = ledger.counts();
        let contended = stored.result().contended(batch.len());
        let decided = |matches: fn(&Decision) -> bool| {
            let orders = stored.orders.iter();
            orders.filter(|order| matches(&order.decision)).count() as u64
        };
        MetricLine::new(&self.settings.names)
            .count("OrdersCreated", decided(|d| *d == Decision::Created))
            .count(
                "OrdersRejected",
                decided(|d| matches!(d, Decision::Rejected { .. })),
            )
            .count("OrdersRepeated", decided(|d| *d == Decision::AlreadyThere))
            .count("RecordsParked", counts.parked as u64)
            .count("RecordsToRetry", counts.failed as u64)
            .count("ProgressGaps", stored.gaps.len() as u64)
            .count("RecordsContended", contended)
            .count("OrdersUnsettled", settling.unsettled as u64)
            .count("PaymentsMatched", settling.paid as u64)
            .milliseconds("StoreTime", store_time.as_secs_f64() * 1e3)
            .milliseconds("BatchTime", began.elapsed().as_secs_f64() * 1e3)
            .emit();
        if self.tracer.is_on() {
            let took = (began_at, SystemTime::now());
            self.tracer
                .record(traces::handled(&arrivals, &stored, took, |traceparent| {
                    self.tracer.position(traceparent)
                }));
        }
        self.tracer.flush().await;
        ledger.response()
    }
}
