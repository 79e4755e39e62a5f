//! Addresses of the servers that tests share: from the environment, else where `scripts/servers`
//! starts them.

use std::env;

/// A prefix that no other test uses, for the keys, topics, queues and schema of one test.
pub fn prefix() -> String {
    format!("t{:012x}", rand::random::<u64>() >> 16)
}

/// Redis of the gate: `REDIS_GATE_URL` or `REDIS_URL`.
pub fn redis_url() -> String {
    let url = env::var("REDIS_GATE_URL").or_else(|_| env::var("REDIS_URL"));
    url.unwrap_or_else(|_| "redis://127.0.0.1:16379".to_owned())
}

/// Redis of caches and streams: `CACHE_URL`.
pub fn cache_url() -> String {
    variable("CACHE_URL", "redis://127.0.0.1:16380")
}

/// Postgres: `DATABASE_URL`.
pub fn database_url() -> String {
    variable(
        "DATABASE_URL",
        "postgres://usher:usher@127.0.0.1:15432/usher",
    )
}

/// Kafka: `KAFKA_BROKERS`.
pub fn brokers() -> String {
    variable("KAFKA_BROKERS", "127.0.0.1:19092")
}

/// SQS: `SQS_ENDPOINT`.
pub fn sqs_endpoint() -> String {
    variable("SQS_ENDPOINT", "http://127.0.0.1:19324")
}

fn variable(name: &str, default: &str) -> String {
    env::var(name).unwrap_or_else(|_| default.to_owned())
}
