//! Publishes orders, barriers and replayed records to Kafka, behind the trait [`PublishOrders`].
//!
//! A publish has one of three outcomes ([`Published`]); [`crate::orders::publish`] handles each. A
//! timeout is [`Published::Unknown`], since the broker may have the message.

mod circuit_breaker;
mod config;
mod producer;

use std::collections::BTreeMap;
use std::ops::Range;

pub use config::broker_security;
pub(crate) use config::{follow_logins, mechanism};
pub use kafka_producer::BrokerAccess;
use kafka_producer::Refusal;
pub use producer::KafkaOrders;
use rdkafka::error::KafkaError;
use shared::message::{Barrier, OrderNumber};
use tokio::task::JoinError;

/// Why a request to the brokers failed.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The circuit breaker is open, and another request probes the brokers.
    #[error("the brokers are unreachable")]
    Unreachable,
    /// The brokers and this function do not accept each other. No retry mends that.
    #[error("{}: {}", .0, config::hint(.0))]
    Refused(Refusal),
    /// The client's error.
    #[error(transparent)]
    Client(#[from] KafkaError),
    /// The task of the request ended before it.
    #[error(transparent)]
    Task(#[from] JoinError),
}

/// Outcome of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The brokers acknowledged it.
    Acknowledged {
        /// Partition of the topic.
        partition: i32,
        /// Offset within it.
        offset: i64,
        /// When the broker appended it, milliseconds since 1970 by the broker's clock.
        appended_ms: i64,
    },
    /// It never left this process.
    Refused(String),
    /// It may have reached the broker, or may still reach it.
    Unknown(String),
}

/// Offsets of each partition: from the first one that is not deleted to that of the next record.
pub type LogRanges = BTreeMap<i32, Range<i64>>;

/// Publisher of orders.
#[async_trait::async_trait]
pub trait PublishOrders: Send + Sync {
    /// Whether the brokers are reachable, as far as is known. Takes a fraction of a second at most;
    /// the error is the reason.
    async fn ready(&self) -> Result<(), BrokerError>;

    /// Publishes an encoded `OrderRequested`, keyed by its number, within the delivery timeout.
    async fn publish(&self, order: OrderNumber, message: &str) -> Published;

    /// Publishes the bytes of a parked record to its topic, within the delivery timeout.
    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published;

    /// Appends a barrier to a partition of the orders' topic, within the delivery timeout.
    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published;

    /// Offsets of all partitions of the orders' topic, at least one; the error is the reason.
    async fn logs(&self) -> Result<LogRanges, BrokerError>;
}
