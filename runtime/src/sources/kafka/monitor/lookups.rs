//! Completes the status with what the consumer does not report: whether a topic exists if this host
//! has none of its partitions, and the end of a partition that librdkafka does not fetch because
//! the host has enough records of it.

use event_sources::health::SourceProblem;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};

use crate::sources::kafka::silent::SilentContext;
use crate::sources::kafka::source::KafkaSource;
use crate::sources::kafka::start_offsets::PATIENCE;

/// Completes the status. Blocks.
pub(super) fn look_up(client: &BaseConsumer<SilentContext>, source: &KafkaSource) {
    let (mapping, progress) = (&source.mapping, &source.progress);
    let (unread, partitions) = progress.missing(mapping.topics.len());
    for (index, topic) in mapping.topics.iter().enumerate() {
        if !unread.contains(&index) {
            progress.set_topic(topic, None);
        } else if let Ok(fault) = find(client, topic, &mapping.bootstrap_servers) {
            progress.set_topic(topic, fault);
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

/// The fault of a topic, if it has one.
///
/// # Errors
/// The brokers did not respond, or with a temporary error.
fn find(
    client: &BaseConsumer<SilentContext>,
    topic: &str,
    servers: &str,
) -> KafkaResult<Option<SourceProblem>> {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
    let code = match client.fetch_metadata(Some(topic), PATIENCE) {
        Ok(metadata) => {
            let mut topics = metadata.topics().iter();
            let found = topics.find(|found| found.name() == topic);
            // a response without the topic says nothing about it
            let found = found.ok_or(KafkaError::MetadataFetch(RDKafkaErrorCode::BadMessage))?;
            match found.error() {
                None => return Ok(None),
                Some(code) => code.into(),
            }
        }
        Err(KafkaError::MetadataFetch(code)) => code,
        Err(error) => return Err(error),
    };
    Ok(Some(match code {
        UnknownTopic | UnknownTopicOrPartition => SourceProblem::missing(format!(
            "Kafka at {servers} has no topic {topic}. Create it, or correct its name in the \
             template; the mapping then reads it"
        )),
        TopicAuthorizationFailed => SourceProblem::stuck(format!(
            "the login of this mapping may not read topic {topic}. Allow it to describe and read \
             the topic"
        )),
        code => return Err(KafkaError::MetadataFetch(code)),
    }))
}
