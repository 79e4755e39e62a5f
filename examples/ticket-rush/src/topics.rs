//! Kafka topics of the system. Their type of timestamp is `LogAppendTime`, so that no decision
//! depends on a producer's clock.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use crate::servers::Servers;

/// Number of partitions of a topic.
pub const PARTITIONS: i32 = 4;
/// Timeout of a request to the broker.
const TIMEOUT: Duration = Duration::from_secs(15);

fn admin(servers: &Servers) -> Result<(AdminClient<DefaultClientContext>, AdminOptions)> {
    let admin = servers.kafka().create();
    let admin = admin.context("the Kafka settings are not valid")?;
    let options = AdminOptions::new()
        .request_timeout(Some(TIMEOUT))
        .operation_timeout(Some(TIMEOUT));
    Ok((admin, options))
}

/// Creates the topic if it is missing. Returns whether it was created.
pub async fn ensure(servers: &Servers, topic: &str, partitions: i32) -> Result<bool> {
    let (admin, options) = admin(servers)?;
    let brokers = &servers.brokers;
    let topic_settings = NewTopic::new(topic, partitions, TopicReplication::Fixed(1))
        .set("message.timestamp.type", "LogAppendTime");
    let answers = admin.create_topics([&topic_settings], &options).await;
    let away = || format!("Kafka at {brokers} does not answer: scripts/servers start kafka");
    match answers.with_context(away)?.first() {
        Some(Ok(_)) => Ok(true),
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(false),
        Some(Err((topic, code))) => bail!("cannot create topic {topic}: {code}"),
        None => bail!("Kafka at {brokers} returned no result for topic {topic}"),
    }
}

/// Deletes the topic if it exists.
pub async fn remove(servers: &Servers, topic: &str) -> Result<()> {
    let (admin, options) = admin(servers)?;
    let brokers = &servers.brokers;
    let answers = admin.delete_topics(&[topic], &options).await;
    let away = || format!("Kafka at {brokers} does not answer");
    match answers.with_context(away)?.first() {
        Some(Err((topic, code))) if *code != RDKafkaErrorCode::UnknownTopicOrPartition => {
            bail!("cannot delete topic {topic}: {code}")
        }
        _ => Ok(()),
    }
}
