//! The adapters of the process: gate, store, stream of program changes, tracer.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use shared::cache::Announcer;
use shared::gate::Gate;
use shared::store::Store;
use shared::telemetry::traces::Tracer;

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
    /// Exports spans.
    pub tracer: Tracer,
    /// When this process began its last sweep.
    pub(crate) last_sweep: Mutex<Option<SystemTime>>,
}

impl Closer {
    /// Opens real adapters. Each connects on first use.
    pub fn open(settings: Settings) -> Result<Self, lambda_runtime::Error> {
        let names = &settings.names;
        let gate = Gate::connect(settings.redis.as_str(), names.clone(), GATE_TIMEOUT)?;
        let store = Store::connect(settings.database.as_str(), names, settings.connections)?;
        let changes = settings
            .streams
            .changed_announcer(settings.streams.link()?, names);
        let tracer = Tracer::start(settings.traces.as_ref(), names, Duration::ZERO);
        Ok(Self {
            settings,
            gate,
            store,
            changes,
            tracer,
            last_sweep: Mutex::new(None),
        })
    }
}
