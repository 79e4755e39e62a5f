//! Settings of order-create, from the environment; template.yaml sets them.

use std::time::Duration;

use shared::config::{Execution, Problems, Reader, Url};
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
        reader.finish(|| Self {
            names: reader.names(),
            redis: reader.redis_url("REDIS_GATE_URL"),
            database: reader.postgres_url("DATABASE_URL"),
            connections: Execution::read(reader).connections(reader, 1),
            min_pay_window: min_pay_window(reader),
            traces: TraceSettings::read(reader, "order-create"),
        })
    }
}

fn min_pay_window(reader: &Reader) -> Duration {
    const PAY: &str = "PAY_WINDOW_SECONDS";
    const MIN_PAY: &str = "MIN_PAY_WINDOW_SECONDS";
    let pay = reader.seconds_or(PAY, 1..=86_400, 900);
    let min_pay = reader.seconds_or(MIN_PAY, 1..=86_400, 60);
    if min_pay > pay && reader.accepts(&[PAY, MIN_PAY]) {
        let rule = format!("at most {PAY} ({})", pay.as_secs());
        reader.refuse(MIN_PAY, min_pay.as_secs(), rule);
    }
    min_pay
}
