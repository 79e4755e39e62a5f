//! Looks up what the consumer of a mapping does not report: whether a topic exists of which this host owns no partition, and the end of a
//! partition that librdkafka fetches nothing of because this host holds enough of it.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::offsets::PATIENCE;
use super::silent::SilentContext;
use super::status::{Progress, TopicFound};
use crate::model::KafkaMapping;
use event_sources::health::SourceProblem;

/// Looks up what the mapping's status lacks. Blocks.
pub(super) fn look_up(
    client: &BaseConsumer<SilentContext>,
    mapping: &KafkaMapping,
    progress: &Progress,
) {
    let (topics, partitions) = progress.questions(mapping.topics.len());
    for (index, topic) in mapping.topics.iter().enumerate() {
        if !topics.contains(&index) {
            progress.found(topic, TopicFound::There);
        }
    }
    for topic in topics
        .into_iter()
        .filter_map(|index| mapping.topics.get(index))
    {
        if let Some(finding) = look_at(client, topic, &mapping.bootstrap_servers) {
            progress.found(topic, finding);
        }
    }
    for partition in partitions {
        let Some(topic) = mapping.topics.get(partition.topic) else {
            continue;
        };
        // a consumer of committed records gets the last stable offset
        if let Ok((_, stable)) = client.fetch_watermarks(topic, partition.number, PATIENCE) {
            progress.looked_up(partition, stable);
        }
    }
}

/// `None`: the brokers did not answer, or with an error that may pass.
fn look_at(client: &BaseConsumer<SilentContext>, topic: &str, servers: &str) -> Option<TopicFound> {
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
        None => Some(TopicFound::There),
        Some(code) => fault(code.into(), topic, servers),
    }
}

fn fault(code: RDKafkaErrorCode, topic: &str, servers: &str) -> Option<TopicFound> {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
    match code {
        UnknownTopic | UnknownTopicOrPartition => {
            Some(TopicFound::Fault(SourceProblem::missing(format!(
                "Kafka at {servers} has no topic {topic}. Create it, or correct its name in the template; it is read once it is there"
            ))))
        }
        TopicAuthorizationFailed => Some(TopicFound::Fault(SourceProblem::stuck(format!(
            "the login of this mapping may not read topic {topic}. Let it describe and read the topic"
        )))),
        _ => None,
    }
}
