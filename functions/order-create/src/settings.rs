//! Settings of order-create, from the environment; template.yaml sets them.

use std::time::Duration;

use shared::access::{AccessSettings, Needed};
use shared::config::{Execution, Problems, Reader, Server};
use shared::naming::Names;
use shared::sale::LOG_DAYS;
use shared::telemetry::traces::TraceSettings;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment.
    pub names: Names,
    /// The Redis of the gate.
    pub redis: Server,
    /// Postgres.
    pub database: Server,
    /// Maximum number of connections to it.
    pub connections: u32,
    /// Minimum time to pay, from when an order is stored.
    pub min_pay_window: Duration,
    /// Days for which the rows of ended orders are kept.
    pub ended_days: u16,
    /// Export of spans, if any.
    pub traces: Option<TraceSettings>,
    /// Certificates, logins and secrets.
    pub access: AccessSettings,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let redis = reader.redis("REDIS_GATE");
        let database = reader.postgres("DATABASE");
        let traces = TraceSettings::read(reader, "order-create");
        let needed = Needed {
            logins: vec![redis.login.clone(), database.login.clone()],
            texts: traces.iter().filter_map(TraceSettings::secret).collect(),
            ..Needed::default()
        };
        reader.finish(|| Self {
            names: reader.names(),
            redis,
            database,
            connections: Execution::read(reader).connections(reader, 1),
            min_pay_window: min_pay_window(reader),
            ended_days: reader.integer_or("ENDED_ORDER_RETENTION_DAYS", 2 * LOG_DAYS..=36_500, 90),
            traces,
            access: AccessSettings::read(reader, needed),
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
