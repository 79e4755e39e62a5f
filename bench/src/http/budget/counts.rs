//! Work of the servers, by their own counters.

use std::collections::BTreeMap;
use std::ops::Sub;

use anyhow::Result;
use ticket_rush::prepare::{calls_topic, orders_topic};

use crate::counters::kafka::TopicLog;
use crate::counters::postgres::PostgresCounters;
use crate::counters::redis::RedisCounters;
use crate::environment::BenchEnvironment;
use crate::servers::Server;

/// The counters of all servers.
pub(super) struct Reading {
    gate: RedisCounters,
    cache: RedisCounters,
    postgres: PostgresCounters,
    orders: Option<TopicLog>,
    calls: Option<TopicLog>,
}

/// Counts by name. Those that a server does not offer are missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts(BTreeMap<&'static str, f64>);

impl Counts {
    /// Names and units, in the order of the report.
    pub(super) const NAMES: [(&'static str, &'static str); 20] = [
        ("Redis gate: requests read", ""),
        ("Redis gate: scripts", ""),
        ("Redis gate: commands, in scripts and alone", ""),
        ("Redis gate: received", "bytes"),
        ("Redis gate: sent", "bytes"),
        ("Redis cache: requests read", ""),
        ("Redis cache: scripts", ""),
        ("Redis cache: commands, in scripts and alone", ""),
        ("PostgreSQL: transactions", ""),
        ("PostgreSQL: statements", ""),
        ("PostgreSQL: rows written", ""),
        ("PostgreSQL: write-ahead log", "bytes"),
        ("PostgreSQL: syncs of the log", ""),
        ("Kafka, orders: batches of a producer", ""),
        ("Kafka, orders: records", ""),
        ("Kafka, orders: log", "bytes"),
        ("Kafka, API calls: batches of a producer", ""),
        ("Kafka, API calls: records", ""),
        ("Kafka, API calls: log", "bytes"),
        ("Kafka: batches of both topics", ""),
    ];

    pub(super) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(super) fn map(mut self, change: impl Fn(f64) -> f64) -> Self {
        for count in self.0.values_mut() {
            *count = change(*count);
        }
        self
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        for (name, count) in &mut self.0 {
            *count -= other.0.get(name).copied().unwrap_or(0.0);
        }
        self
    }
}

impl Reading {
    pub(super) async fn take(env: &BenchEnvironment) -> Result<Self> {
        let servers = &env.environment.servers;
        let broker = Server::Kafka.process(servers);
        let log = |topic: String| broker.and_then(|pid| TopicLog::of(pid, &topic));
        Ok(Self {
            gate: RedisCounters::read(&servers.redis_url).await?,
            cache: RedisCounters::read(&servers.cache_url).await?,
            postgres: PostgresCounters::read(&env.db).await?,
            orders: log(orders_topic(&env.environment.prefix)),
            calls: log(calls_topic(&env.environment.prefix)),
        })
    }

    pub(super) fn since(&self, before: &Self) -> Counts {
        let mut counts = Counts::default();
        let mut put = |name, count: f64| counts.0.insert(name, count);
        let gate = self.gate.since(&before.gate);
        put("Redis gate: requests read", gate.reads as f64);
        put("Redis gate: scripts", gate.scripts as f64);
        let name = "Redis gate: commands, in scripts and alone";
        put(name, gate.commands as f64);
        put("Redis gate: received", gate.received_bytes as f64);
        put("Redis gate: sent", gate.sent_bytes as f64);
        let cache = self.cache.since(&before.cache);
        put("Redis cache: requests read", cache.reads as f64);
        put("Redis cache: scripts", cache.scripts as f64);
        let name = "Redis cache: commands, in scripts and alone";
        put(name, cache.commands as f64);
        let postgres = self.postgres.since(&before.postgres);
        put("PostgreSQL: transactions", postgres.transactions as f64);
        if let Some(statements) = postgres.statements {
            put("PostgreSQL: statements", statements as f64);
        }
        put("PostgreSQL: rows written", postgres.rows as f64);
        put("PostgreSQL: write-ahead log", postgres.wal_bytes as f64);
        put("PostgreSQL: syncs of the log", postgres.wal_syncs as f64);
        let topics = [
            (self.orders, before.orders, ORDERS),
            (self.calls, before.calls, CALLS),
        ];
        let mut batches = 0.0;
        for (now, before, names) in topics {
            let (Some(now), Some(before)) = (now, before) else {
                return counts;
            };
            put(names[0], (now.batches - before.batches) as f64);
            put(names[1], (now.records - before.records) as f64);
            put(names[2], (now.bytes - before.bytes) as f64);
            batches += (now.batches - before.batches) as f64;
        }
        put("Kafka: batches of both topics", batches);
        counts
    }
}

const ORDERS: [&str; 3] = [
    "Kafka, orders: batches of a producer",
    "Kafka, orders: records",
    "Kafka, orders: log",
];
const CALLS: [&str; 3] = [
    "Kafka, API calls: batches of a producer",
    "Kafka, API calls: records",
    "Kafka, API calls: log",
];
