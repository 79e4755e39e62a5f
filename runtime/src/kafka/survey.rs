//! Looks up what the consumer of a mapping does not report: whether a topic exists of which this host owns no partition, and the end of a
//! partition that librdkafka fetches nothing of because this host holds enough of it.
//!
//! A client of its own on a thread of its own, made only while there is something to look up.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::lookup;
use super::quiet::Quiet;
use super::status::{Finding, Progress};
use crate::model::KafkaMapping;
use crate::source_health::Problem;

/// The time between two rounds.
const INTERVAL: Duration = Duration::from_secs(3);

/// How long a broker may take to answer. Nothing waits for the thread at its end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Runs until it is dropped.
pub(super) struct Survey {
    _stop: mpsc::Sender<()>,
}

/// Begins to look, on a thread.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn begin(mapping: KafkaMapping, progress: Arc<Progress>) -> std::io::Result<Survey> {
    let (stop, stopped) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name(format!("survey {}", mapping.id));
    thread.spawn(move || {
        let mut client = None;
        while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            round(&mapping, &progress, &mut client);
        }
    })?;
    Ok(Survey { _stop: stop })
}

fn round(mapping: &KafkaMapping, progress: &Progress, client: &mut Option<BaseConsumer<Quiet>>) {
    let (topics, partitions) = progress.questions(mapping.topics.len());
    for (index, topic) in mapping.topics.iter().enumerate() {
        if !topics.contains(&index) {
            progress.found(topic, Finding::There);
        }
    }
    if topics.is_empty() && partitions.is_empty() {
        *client = None;
        return;
    }
    if client.is_none() {
        // settings that librdkafka refuses are an error of the start
        *client = lookup::consumer(mapping, &mapping.group).ok();
    }
    let Some(client) = client else { return };
    for topic in topics.into_iter().filter_map(|index| mapping.topics.get(index)) {
        if let Some(finding) = look_at(client, topic, &mapping.bootstrap_servers) {
            progress.found(topic, finding);
        }
    }
    for partition in partitions {
        let Some(topic) = mapping.topics.get(partition.topic) else { continue };
        // a consumer of committed records gets the last stable offset
        if let Ok((_, stable)) = client.fetch_watermarks(topic, partition.number, PATIENCE) {
            progress.looked_up(partition, stable);
        }
    }
}

/// `None`: the brokers do not say.
fn look_at(client: &BaseConsumer<Quiet>, topic: &str, servers: &str) -> Option<Finding> {
    let metadata = match client.fetch_metadata(Some(topic), PATIENCE) {
        Ok(metadata) => metadata,
        Err(KafkaError::MetadataFetch(code)) => return fault(code, topic, servers),
        Err(_) => return None,
    };
    let found = metadata.topics().iter().find(|found| found.name() == topic)?;
    match found.error() {
        None => Some(Finding::There),
        Some(code) => fault(code.into(), topic, servers),
    }
}

fn fault(code: RDKafkaErrorCode, topic: &str, servers: &str) -> Option<Finding> {
    use RDKafkaErrorCode::{TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition};
    match code {
        UnknownTopic | UnknownTopicOrPartition => Some(Finding::Fault(Problem::missing(format!(
            "Kafka at {servers} has no topic {topic}. Create it, or correct its name in the template; it is read once it is there"
        )))),
        TopicAuthorizationFailed => Some(Finding::Fault(Problem::stuck(format!(
            "the login of this mapping may not read topic {topic}. Let it describe and read the topic"
        )))),
        _ => None,
    }
}
