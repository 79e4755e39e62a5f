//! Where orders are published, and parked records put back, behind a small trait: nothing else of the storefront knows of Kafka.
//!
//! A publish ends in exactly one of three ways ([`Published`]), each with a path of its own in [`crate::orders::publish`]. What is
//! not certain is [`Published::Unknown`]: a timeout does not mean that the broker has not got the message.

mod circuit;
mod config;
mod producer;

use std::collections::BTreeMap;

pub(crate) use config::client_config;
pub use producer::KafkaOrders;
use shared::message::OrderNumber;

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

/// Kafka's end offsets by partition: the offset that the next record will get.
pub type EndOffsets = BTreeMap<i32, i64>;

/// Somewhere to publish orders.
#[async_trait::async_trait]
pub trait PublishOrders: Send + Sync {
    /// Whether publishing has a chance. `Err` says why not; it comes within a fraction of a second.
    async fn ready(&self) -> Result<(), String>;

    /// Publishes one encoded `OrderRequested`, keyed by its number; ends within the delivery timeout.
    async fn publish(&self, order: OrderNumber, message: &str) -> Published;

    /// Puts a record back on a topic, as the bytes it once came as; ends within the delivery timeout.
    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published;

    /// The end offsets now; `Err` says why they cannot be known.
    async fn end_offsets(&self) -> Result<EndOffsets, String>;
}
