//! Kafka topics made as the system needs them: `LogAppendTime`, so that no producer's clock decides anything.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

/// Partitions of a topic.
pub const PARTITIONS: i32 = 4;
/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(15);

fn admin(brokers: &str) -> Result<(AdminClient<DefaultClientContext>, AdminOptions)> {
    let admin = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .context("Kafka's settings are wrong")?;
    let options = AdminOptions::new()
        .request_timeout(Some(PATIENCE))
        .operation_timeout(Some(PATIENCE));
    Ok((admin, options))
}

/// Makes the topic where it is missing; true if it was made.
pub async fn ensure(brokers: &str, topic: &str, partitions: i32) -> Result<bool> {
    let (admin, options) = admin(brokers)?;
    let wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
        .set("message.timestamp.type", "LogAppendTime");
    let answers = admin.create_topics([&wanted], &options).await;
    let answers = answers.with_context(|| {
        format!("Kafka at {brokers} does not answer: scripts/servers start kafka")
    })?;
    match answers.first() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
        Some(Err((topic, code))) => bail!("topic {topic} could not be made: {code}"),
        None => bail!("Kafka at {brokers} said nothing about topic {topic}"),
    }
}

/// Deletes the topic, if there is one.
pub async fn remove(brokers: &str, topic: &str) -> Result<()> {
    let (admin, options) = admin(brokers)?;
    let answers = admin.delete_topics(&[topic], &options).await;
    match answers
        .with_context(|| format!("Kafka at {brokers} does not answer"))?
        .first()
    {
        Some(Err((topic, code))) if *code != RDKafkaErrorCode::UnknownTopicOrPartition => {
            bail!("topic {topic} stays: {code}")
        }
        _ => Ok(()),
    }
}
