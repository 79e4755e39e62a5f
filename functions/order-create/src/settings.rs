//! Settings of order-create, from the environment; template.yaml sets them.

use std::time::Duration;

use shared::config::{Problems, Reader, Url};
use shared::naming::Names;
use shared::telemetry::traces::TraceSettings;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment.
    pub names: Names,
    /// The Redis of the gate.
    pub redis: Url,
    /// Postgres.
    pub database: Url,
    /// Maximum number of connections to it.
    pub connections: u32,
    /// Minimum time to pay, from when an order is stored.
    pub min_pay_window: Duration,
    /// Export of spans, if any.
    pub traces: Option<TraceSettings>,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let names = reader.names();
        let redis = reader.redis_url("REDIS_GATE_URL");
        let database = reader.postgres_url("DATABASE_URL");
        let connections = reader.integer_or("DB_CONNECTIONS", 1..=100, 2);
        let pay = reader.seconds_or("PAY_WINDOW_SECONDS", 1..=86_400, 900);
        let min_pay = reader.seconds_or("MIN_PAY_WINDOW_SECONDS", 1..=86_400, 60);
        let traces = TraceSettings::read(reader, "order-create");
        if let (Some(pay), Some(min_pay)) = (pay, min_pay)
            && min_pay > pay
        {
            let rule = format!("at most PAY_WINDOW_SECONDS ({})", pay.as_secs());
            reader.refuse("MIN_PAY_WINDOW_SECONDS", min_pay.as_secs(), rule);
        }
        reader.finish(|| {
            Some(Self {
                names: names?,
                redis: redis?,
                database: database?,
                connections: connections?,
                min_pay_window: min_pay?,
                traces: traces?,
            })
        })
    }
}
