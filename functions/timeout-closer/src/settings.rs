//! What the timeout-closer must be told, from the environment; template.yaml names the same things.

use std::time::Duration;

use shared::cache::ProgramStreams;
use shared::config::{Problems, Reader, Url};
use shared::naming::Names;
use shared::telemetry::traces::TraceSettings;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The environment's names.
    pub names: Names,
    /// The gate.
    pub redis: Url,
    /// Where changes of programs are told.
    pub streams: ProgramStreams,
    /// The truth.
    pub database: Url,
    /// Connections to it at most.
    pub connections: u32,
    /// How long the process has for one tick, as its template says.
    pub timeout: Duration,
    /// Full name of the topic of orders, whose progress decides what is past.
    pub topic: String,
    /// Entries claimed at a time.
    pub claim_limit: usize,
    /// How long a claim is nobody else's.
    pub lease: Duration,
    /// How long between two sweeps of one process.
    pub sweep_every: Duration,
    /// Rows of each kind in one sweep.
    pub sweep_limit: u32,
    /// Changes of programs published at a time.
    pub publish_limit: u32,
    /// Where spans go, if anywhere.
    pub traces: Option<TraceSettings>,
}

impl Settings {
    /// Reads all of them, or says everything that is wrong.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let names = reader.names();
        let redis = reader.redis_url("REDIS_GATE_URL");
        let streams = ProgramStreams::read(reader);
        let database = reader.postgres_url("DATABASE_URL");
        let connections = reader.integer_or("DB_CONNECTIONS", 1..=100, 2);
        let timeout = reader.seconds_or("FUNCTION_TIMEOUT_SECONDS", 1..=900, 55);
        let topic = reader.text_or("ORDERS_TOPIC", "order-create");
        let claim_limit = reader.integer_or("CLAIM_LIMIT", 1..=10_000, 256);
        let lease = reader.milliseconds_or("LEASE_MS", 1_000..=900_000, 30_000);
        let sweep_every = reader.seconds_or("SWEEP_EVERY_SECONDS", 1..=86_400, 60);
        let sweep_limit = reader.integer_or("SWEEP_LIMIT", 1..=10_000, 500);
        let publish_limit = reader.integer_or("PUBLISH_LIMIT", 1..=10_000, 100);
        let traces = TraceSettings::read(reader, "timeout-closer");
        reader.finish(|| {
            let names = names?;
            Some(Self {
                topic: names.topic(&topic?),
                names,
                redis: redis?,
                streams: streams?,
                database: database?,
                connections: connections?,
                timeout: timeout?,
                claim_limit: claim_limit?,
                lease: lease?,
                sweep_every: sweep_every?,
                sweep_limit: sweep_limit?,
                publish_limit: publish_limit?,
                traces: traces?,
            })
        })
    }
}
