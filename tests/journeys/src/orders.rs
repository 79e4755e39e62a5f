//! The topic of orders from a journey's point of view.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use ticket_rush::prepare::orders_topic;
use ticket_rush::topics::PARTITIONS;

use crate::TestEnvironment;

/// How long Kafka may take for what is asked of it here.
const PATIENCE: Duration = Duration::from_secs(20);

impl TestEnvironment {
    /// Records in the topic of orders.
    pub async fn published(&self) -> Result<i64> {
        let brokers = self.environment.servers.brokers.clone();
        let topic = orders_topic(&self.environment.prefix);
        tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .create()?;
            let end = |partition| {
                consumer
                    .fetch_watermarks(&topic, partition, PATIENCE)
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
