//! The adapters of the process: gate, store, stream of program changes, tracer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use shared::access::Access;
use shared::cache::Announcer;
use shared::gate::Gate;
use shared::message::OrderNumber;
use shared::store::{OrderRow, Store, StoreError};
use shared::telemetry::traces::Tracer;

use crate::closing_span::{ClosedBy, closing_span};
use crate::refunds::{HttpProvider, RefundProvider};
use crate::settings::Settings;

/// Time limit of one call to Redis.
const GATE_TIMEOUT: Duration = Duration::from_secs(3);

/// Adapters and settings. One per process.
pub struct Closer {
    /// Settings.
    pub settings: Settings,
    /// The gate in Redis.
    pub gate: Gate,
    /// Postgres, the source of truth.
    pub store: Store,
    /// Publishes changes of programs.
    pub changes: Announcer,
    /// The payment provider's refunds; `None`: operators record them.
    pub refunds: Option<Arc<dyn RefundProvider>>,
    /// Exports spans.
    pub tracer: Tracer,
    /// When this process began its last sweep.
    pub(crate) last_sweep: Mutex<Option<SystemTime>>,
}

impl Closer {
    /// Opens real adapters. Each connects on first use.
    pub fn open(settings: Settings, access: &Access) -> Result<Self, lambda_runtime::Error> {
        let Settings { names, streams, .. } = &settings;
        let gate = Gate::over(access.gate(&settings.redis, GATE_TIMEOUT)?, names.clone());
        let store = Store::open(
            &access.database(&settings.database)?,
            names,
            settings.connections,
        )?;
        let changes =
            streams.changed_announcer(access.cache(&streams.redis, streams.timeout)?, names);
        let refunds = match &settings.refunds {
            Some(provider) => Some(Arc::new(HttpProvider::open(provider, access)?) as _),
            None => None,
        };
        let traces = access.traces(settings.traces.as_ref())?;
        let tracer = Tracer::start(traces.as_ref(), names, Duration::ZERO);
        Ok(Self {
            settings,
            gate,
            store,
            changes,
            refunds,
            tracer,
            last_sweep: Mutex::new(None),
        })
    }

    /// The position at which a round of a sweep job continues. One that cannot be read starts the
    /// round again.
    pub(crate) async fn round_position<T: Default>(
        &self,
        round: &str,
        parse: fn(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let noted = self.store.sweep_position(round).await?;
        Ok(noted.as_deref().and_then(parse).unwrap_or_default())
    }

    /// Records a span for each closed order. `error`: why its gate is not settled.
    pub(crate) fn record_closings<'a, 'e>(
        &self,
        rows: impl Iterator<Item = &'a OrderRow>,
        by: ClosedBy,
        began: SystemTime,
        error: impl Fn(OrderNumber) -> Option<&'e str>,
    ) {
        let took = (began, SystemTime::now());
        let place = |traceparent: Option<&str>| self.tracer.position(traceparent);
        let span = |row: &OrderRow| closing_span(row, by, error(row.number), took, place);
        self.tracer.record(rows.filter_map(span));
    }
}
