//! Completes the status with what the consumer does not report: whether a topic exists if this host
//! has none of its partitions, and the end of a partition that librdkafka does not fetch because
//! the host has enough records of it.

use event_sources::health::SourceProblem;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sam_template::model::KafkaMapping;

use crate::kafka::silent::SilentContext;
use crate::kafka::start_offsets::PATIENCE;
use crate::kafka::status::{MappingProgress, TopicFound};

/// Completes the status. Blocks.
pub(super) fn look_up(
    client: &BaseConsumer<SilentContext>,
    mapping: &KafkaMapping,
    progress: &MappingProgress,
) {
    let (topics, partitions) = progress.missing(mapping.topics.len());
    for (index, topic) in mapping.topics.iter().enumerate() {
        if !topics.contains(&index) {
            progress.set_topic(topic, TopicFound::Exists);
        }
    }
    for topic in topics
        .into_iter()
        .filter_map(|index| mapping.topics.get(index))
    {
        if let Some(finding) = find(client, topic, &mapping.bootstrap_servers) {
            progress.set_topic(topic, finding);
        }
    }
    for partition in partitions {
        let Some(topic) = mapping.topics.get(partition.topic) else {
            continue;
        };
        // for a consumer of committed records this is the last stable offset
        if let Ok((_, stable)) = client.fetch_watermarks(topic, partition.number, PATIENCE) {
            progress.set_stable_end(partition, stable);
        }
    }
}

/// `None`: the brokers did not respond, or with a temporary error.
fn find(client: &BaseConsumer<SilentContext>, topic: &str, servers: &str) -> Option<TopicFound> {
    let metadata = match client.fetch_metadata(Some(topic), PATIENCE) {
        Ok(metadata) => metadata,
        Err(KafkaError::MetadataFetch(code)) => return fault(code, topic, servers),
        Err(_) => return None,
    };
    let found = metadata
        .topics()
        .iter()
        .find(|found| found.name() == topic)?;
    match found.error() {
        None => Some(TopicFound::Exists),
        Some(code) => fault(code.into(), topic, servers),
    }
}

fn fault(code: RDKafkaErrorCode, topic: &str, servers: &str) -> Option<TopicFound> {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
    match code {
        UnknownTopic | UnknownTopicOrPartition => {
            Some(TopicFound::Fault(SourceProblem::missing(format!(
                "Kafka at {servers} has no topic {topic}. Create it, or correct its name in the \
                 template; the mapping then reads it"
            ))))
        }
        TopicAuthorizationFailed => Some(TopicFound::Fault(SourceProblem::stuck(format!(
            "the login of this mapping may not read topic {topic}. Allow it to describe and read \
             the topic"
        )))),
        _ => None,
    }
}
