//! API calls: published to their topic, and counted in Postgres.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::json;
use ticket_rush::prepare::calls_topic;
use ticket_rush::topics::PARTITIONS;

use crate::{TestEnvironment, until};

/// Timeout of a request to Kafka.
const TIMEOUT: Duration = Duration::from_secs(20);

impl TestEnvironment {
    fn collectors_group(&self) -> String {
        format!("{}-api-data-collector", self.environment.prefix)
    }

    /// Publishes the calls with numbers `from` to `to`, spread over the partitions.
    pub async fn produce_calls(&self, from: u32, to: u32) -> Result<()> {
        let brokers = self.environment.servers.brokers.clone();
        let topic = calls_topic(&self.environment.prefix);
        tokio::task::spawn_blocking(move || produce(&brokers, &topic, from, to)).await?
    }

    /// Resets the offsets of the collector's group, once it has no member.
    pub async fn rewind_collector(&self) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            offsets.add_partition_offset(
                &calls_topic(&self.environment.prefix),
                partition,
                Offset::Offset(0),
            )?;
        }
        let mut settings = ClientConfig::new();
        settings
            .set("bootstrap.servers", &self.environment.servers.brokers)
            .set("group.id", self.collectors_group());
        let consumer: BaseConsumer = settings.set("enable.auto.commit", "false").create()?;
        until(
            "the group of the collector accepts the offsets",
            async || Ok(consumer.commit(&offsets, CommitMode::Sync).ok()),
        )
        .await
    }

    /// Deletes the collector's group, once it has no member.
    pub async fn delete_collector_group(&self) -> Result<()> {
        let mut settings = ClientConfig::new();
        let admin: AdminClient<DefaultClientContext> = settings
            .set("bootstrap.servers", &self.environment.servers.brokers)
            .create()?;
        let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
        until("the group of the collector is deleted", async || {
            let answers = admin
                .delete_groups(&[&self.collectors_group()], &options)
                .await?;
            Ok(answers.iter().all(Result::is_ok).then_some(()))
        })
        .await
    }

    /// Waits until `expected` calls are both counted and stored.
    pub async fn until_collected(&self, expected: i64) -> Result<()> {
        until(&format!("{expected} calls are collected"), async || {
            let (sums, rows) = self.collected().await?;
            Ok((sums == expected && rows == expected).then_some(()))
        })
        .await
        .with_context(|| format!("expected {expected} calls"))
    }

    /// Number of counted calls, and of stored calls.
    pub async fn collected(&self) -> Result<(i64, i64)> {
        let sums = self
            .count("SELECT coalesce(sum(calls), 0)::int8 FROM api_minutes")
            .await?;
        Ok((sums, self.count("SELECT count(*) FROM api_calls").await?))
    }
}

fn produce(brokers: &str, topic: &str, from: u32, to: u32) -> Result<()> {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", brokers)
        .set("acks", "all")
        .set("enable.idempotence", "true");
    let producer: ThreadedProducer<DefaultProducerContext> = settings.create()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64;
    for n in from..to {
        let status = [200, 404, 503][n as usize % 3];
        let call = json!({
            "v": 1, "id": format!("{n:032x}"), "at_ms": now - u64::from(n % 3) * 60_000,
            "method": "GET",
            "route": format!("/r{}", n % 5), "url": format!("/r{}/{n}", n % 5), "status": status,
            "duration_us": n,
            "client": format!("c{}", n % 4), "ip": format!("192.0.2.{}", n % 200),
            "instance": "journey",
        });
        let record = BaseRecord::<str, str>::to(topic).partition(n as i32 % PARTITIONS);
        producer
            .send(record.payload(&call.to_string()))
            .map_err(|(error, _)| error)
            .context("the producer's queue")?;
    }
    producer
        .flush(TIMEOUT)
        .context("Kafka did not acknowledge the records")
}
