//! The topic of orders.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use ticket_rush::prepare::orders_topic;
use ticket_rush::topics::PARTITIONS;

use crate::TestEnvironment;

/// Timeout of a request to Kafka.
const TIMEOUT: Duration = Duration::from_secs(20);

impl TestEnvironment {
    /// Number of records in the topic of orders.
    pub async fn published(&self) -> Result<i64> {
        let brokers = self.environment.servers.brokers.clone();
        let topic = orders_topic(&self.environment.prefix);
        tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .create()?;
            let end = |partition| {
                consumer
                    .fetch_watermarks(&topic, partition, TIMEOUT)
                    .map(|(_, end)| end)
            };
            (0..PARTITIONS)
                .map(end)
                .sum::<Result<i64, _>>()
                .context("the ends of the topic of orders")
        })
        .await?
    }
}
