//! Where orders are published, and parked records put back, behind a small trait: nothing else of the storefront knows of Kafka.
//!
//! A publish ends in exactly one of three ways ([`Published`]), each with a path of its own in [`crate::orders::publish`]. What is
//! not certain is [`Published::Unknown`]: a timeout does not mean that the broker has not got the message.

mod circuit;
mod config;
mod producer;

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) use config::client_config;
pub use producer::KafkaOrders;
use shared::message::{Barrier, OrderNumber};

/// How a publish ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// The brokers that must have it have it.
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
    /// It may have arrived, or may arrive still.
    Unknown(String),
}

/// An offset by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// What Kafka keeps of each partition: from the first offset that is not deleted to the offset that the next record will get.
pub type Logs = BTreeMap<i32, Range<i64>>;

/// Somewhere to publish orders.
#[async_trait::async_trait]
pub trait PublishOrders: Send + Sync {
    /// Whether publishing has a chance. `Err` says why not; it comes within a fraction of a second.
    async fn ready(&self) -> Result<(), String>;

    /// Publishes one encoded `OrderRequested`, keyed by its number; ends within the delivery timeout.
    async fn publish(&self, order: OrderNumber, message: &str) -> Published;

    /// Puts a record back on a topic, as the bytes it once came as; ends within the delivery timeout.
    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published;

    /// Appends a barrier to a partition of the orders' topic; ends within the delivery timeout.
    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published;

    /// The logs of all partitions of the orders' topic now, at least one; `Err` says why they cannot be known.
    async fn logs(&self) -> Result<Logs, String>;
}
