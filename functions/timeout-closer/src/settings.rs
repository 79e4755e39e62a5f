//! Settings of the timeout-closer, from the environment. template.yaml sets the same variables.

use std::time::Duration;

use shared::access::{AccessSettings, Needed};
use shared::cache::ProgramStreams;
use shared::config::{Execution, Problems, Reader, Server};
use shared::naming::Names;
use shared::sale::{LOG_DAYS, RowRetention};
use shared::telemetry::traces::TraceSettings;

use crate::refunds::HttpProviderSettings;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment.
    pub names: Names,
    /// The Redis of the gate.
    pub redis: Server,
    /// Streams of program changes.
    pub streams: ProgramStreams,
    /// Postgres.
    pub database: Server,
    /// Maximum connections to Postgres.
    pub connections: u32,
    /// Time limit of one tick, as in template.yaml.
    pub timeout: Duration,
    /// Full name of the topic of orders.
    pub topic: String,
    /// Maximum entries of one batch.
    pub claim_limit: usize,
    /// Lease of a claimed entry.
    pub lease: Duration,
    /// Minimum interval between two sweeps of one process.
    pub sweep_every: Duration,
    /// Maximum rows per page, and chunks per sweep.
    pub sweep_limit: u32,
    /// Maximum changes of programs per page.
    pub publish_limit: u32,
    /// The payment provider's refunds; `None`: operators record them.
    pub refunds: Option<HttpProviderSettings>,
    /// A payment whose order is not stored within this time is refunded.
    pub unmatched_refund_after: Duration,
    /// How long rows are kept.
    pub retention: RowRetention,
    /// Export of spans; `None` if switched off.
    pub traces: Option<TraceSettings>,
    /// Certificates, logins and secrets.
    pub access: AccessSettings,
}

impl Settings {
    /// Reads all settings, or returns every problem.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| {
            let names = reader.names();
            let redis = reader.redis("REDIS_GATE");
            let streams = ProgramStreams::read(reader);
            let timeout = reader.seconds_or("FUNCTION_TIMEOUT_SECONDS", 1..=900, 55);
            let database = reader.postgres("DATABASE");
            let traces = TraceSettings::read(reader, "timeout-closer");
            let (refunds, keys) = HttpProviderSettings::read(reader, timeout).unzip();
            let logins = [&redis, &streams.redis, &database];
            let needed = Needed {
                logins: logins.map(|server| server.login.clone()).into(),
                keys,
                texts: traces.iter().filter_map(TraceSettings::secret).collect(),
                ..Needed::default()
            };
            Self {
                redis,
                streams,
                database,
                connections: Execution::read(reader).connections(reader, 1),
                timeout,
                topic: names.topic(&reader.text_or("ORDERS_TOPIC", "order-create")),
                claim_limit: reader.integer_or("CLAIM_LIMIT", 1..=10_000, 256),
                lease: reader.milliseconds_or("LEASE_MS", 1_000..=900_000, 30_000),
                sweep_every: reader.seconds_or("SWEEP_EVERY_SECONDS", 1..=86_400, 60),
                sweep_limit: reader.integer_or("SWEEP_LIMIT", 1..=10_000, 500),
                publish_limit: reader.integer_or("PUBLISH_LIMIT", 1..=10_000, 100),
                refunds,
                unmatched_refund_after: reader.seconds_or(
                    "UNMATCHED_REFUND_SECONDS",
                    60..=2_592_000,
                    86_400,
                ),
                retention: retention(reader),
                traces,
                access: AccessSettings::read(reader, needed),
                names,
            }
        })
    }

    /// Time limit of a request to the payment provider.
    pub(crate) fn refund_timeout(&self) -> Duration {
        let refunds = self.refunds.as_ref();
        refunds.map_or(Duration::ZERO, HttpProviderSettings::timeout)
    }
}

fn retention(reader: &Reader) -> RowRetention {
    const ENDED: &str = "ENDED_ORDER_RETENTION_DAYS";
    const REFUNDED: &str = "REFUNDED_PAYMENT_RETENTION_DAYS";
    let ended_days = reader.integer_or(ENDED, 2 * LOG_DAYS..=36_500, 90);
    let refunded_days = reader.integer_or(REFUNDED, 2 * LOG_DAYS..=36_500, 3_650);
    if refunded_days < ended_days && reader.accepts(&[ENDED, REFUNDED]) {
        let rule = format!("at least {ENDED} ({ended_days})");
        reader.refuse(REFUNDED, refunded_days, rule);
    }
    RowRetention {
        ended_days,
        refunded_days,
        parked_days: reader.integer_or("PARKED_RETENTION_DAYS", LOG_DAYS..=36_500, 365),
    }
}
