//! The topic of orders: more partitions, and a new topic of its name.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use ticket_rush::prepare::orders_topic;
use ticket_rush::topics::{self, remove};
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use super::Target;
use super::records::BROKER;

/// How long order-create may take until it has read everything.
const READING: Duration = Duration::from_mins(1);
/// The topic has been read when nothing is unread for so long: longer than a delivery of storefront
/// may take.
const QUIET: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_millis(200);

impl Target {
    pub(super) async fn add_partition(&self) -> Result<String> {
        let topic = orders_topic(&self.prefix);
        let partitions = self.partitions(&topic)? + 1;
        let admin: AdminClient<DefaultClientContext> = self.kafka().create()?;
        let options = AdminOptions::new().operation_timeout(Some(BROKER));
        let new = NewPartitions::new(&topic, partitions as usize);
        for result in admin.create_partitions([&new], &options).await? {
            if let Err((topic, code)) = result {
                bail!("no partition is added to {topic}: {code}");
            }
        }
        Ok(format!("{partitions} partitions"))
    }

    /// Kafka keeps what it acknowledged, so the topic is removed only when order-create has stored
    /// all of it. Buyers pause meanwhile.
    pub(super) async fn recreate_topic(&self) -> Result<String> {
        let _no_requests = self.permits.acquire_many(self.requests).await?;
        self.read_to_the_end().await?;
        let topic = orders_topic(&self.prefix);
        let partitions = self.partitions(&topic)?;
        let servers = self.servers.direct().await;
        remove(&servers, &topic).await?;
        let until = Instant::now() + BROKER;
        // The broker removes it in the background.
        while !topics::ensure(&servers, &topic, partitions).await? {
            if Instant::now() > until {
                bail!("the topic was not removed within {BROKER:?}");
            }
            sleep(PAUSE).await;
        }
        Ok(format!("{partitions} partitions, all of them empty"))
    }

    async fn read_to_the_end(&self) -> Result<()> {
        let until = Instant::now() + READING;
        let mut read_since = None;
        loop {
            let mut read = true;
            for host in &self.hosts {
                let status = host.status().status().await?;
                let mapping = status.mapping("OrderCreate");
                let mapping = mapping.context("a host has no mapping of OrderCreate")?;
                read &= mapping
                    .partitions
                    .iter()
                    .all(|partition| partition.position.unwrap_or(0) >= partition.end.unwrap_or(0));
            }
            if read {
                let since = *read_since.get_or_insert_with(Instant::now);
                if since.elapsed() > QUIET {
                    return Ok(());
                }
            } else {
                read_since = None;
            }
            if Instant::now() > until {
                bail!("order-create has not read its topic within {READING:?}");
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) fn partitions(&self, topic: &str) -> Result<i32> {
        let consumer: BaseConsumer = self.kafka().create()?;
        let metadata = block_in_place(|| consumer.fetch_metadata(Some(topic), BROKER))?;
        let of_topic = metadata.topics().first().context("the topic is missing")?;
        Ok(i32::try_from(of_topic.partitions().len())?)
    }
}
