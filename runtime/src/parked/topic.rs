//! Letters in a topic. Nothing can be deleted there: how far they were brought back is committed, as a consumer group.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use super::records::{Outgoing, PATIENCE, consumer, read, watermarks, write};
use super::wrapped::{Wrapped, unwrapped};
use super::{Replayed, Seen};
use crate::kafka::{Original, Quiet};
use crate::model::KafkaMapping;

/// The group whose progress says what was brought back.
const GROUP: &str = "usher-parked";

/// Letters of one partition that were not brought back.
struct Waiting {
    partition: i32,
    first: i64,
    end: i64,
}

pub(super) async fn count(mapping: &KafkaMapping, topic: &str) -> Result<u64, String> {
    blocking(mapping, topic, |consumer, topic| {
        Ok(waiting(consumer, topic)?.iter().map(|part| (part.end - part.first) as u64).sum())
    })
    .await
}

pub(super) async fn peek(mapping: &KafkaMapping, topic: &str, back_to: &[String], limit: usize) -> Result<Vec<Seen>, String> {
    let back_to = back_to.to_vec();
    blocking(mapping, topic, move |consumer, topic| {
        let mut seen = Vec::new();
        for part in waiting(consumer, topic)?.into_iter().filter(|part| part.first < part.end) {
            let messages = read(consumer, topic, part.partition, part.first, part.end - 1, limit - seen.len())?;
            seen.extend(messages.iter().map(|message| shown(message, &back_to)));
        }
        Ok(seen)
    })
    .await
}

fn shown(message: &OwnedMessage, back_to: &[String]) -> Seen {
    let wrapped = unwrapped(message.payload().unwrap_or_default());
    let original = wrapped.as_ref().map(|wrapped| &wrapped.original);
    let target = target(original, back_to).map_or_else(|why| format!("nowhere: {why}"), |topic| format!("topic {topic}"));
    let body = original.map_or(message.payload(), |original| original.value.as_deref());
    Seen {
        id: format!("{}-{}", message.partition(), message.offset()),
        sent_ms: message.timestamp().to_millis().and_then(|ms| u64::try_from(ms).ok()),
        body: String::from_utf8_lossy(body.unwrap_or_default()).into_owned(),
        reason: wrapped.map_or_else(|| "it does not say".to_owned(), |wrapped| wrapped.reason),
        back_to: target,
    }
}

pub(super) async fn replay(mapping: &KafkaMapping, topic: &str, back_to: &[String], limit: usize) -> Result<Replayed, String> {
    let (place, back_to) = (mapping.clone(), back_to.to_vec());
    blocking(mapping, topic, move |consumer, topic| {
        let mut replayed = Replayed::default();
        for part in waiting(consumer, topic)?.into_iter().filter(|part| part.first < part.end) {
            let left = limit - replayed.letters as usize;
            let messages = read(consumer, topic, part.partition, part.first, part.end - 1, left)?;
            let Some(last) = messages.last().map(rdkafka::Message::offset) else { continue };
            bring(&place, &messages, &back_to)?;
            let mut list = TopicPartitionList::new();
            let committed = list.add_partition_offset(topic, part.partition, Offset::Offset(last + 1));
            let committed = committed.and_then(|()| consumer.commit(&list, CommitMode::Sync));
            committed.map_err(|error| {
                format!("records are back at their source, but that could not be noted: {error}; they come again")
            })?;
            replayed.letters += messages.len() as u64;
            replayed.records += messages.len() as u64;
        }
        Ok(replayed)
    })
    .await
}

/// Writes the records to their topics, all or an error: what is inside a document as it was, anything else as it is.
fn bring(mapping: &KafkaMapping, messages: &[OwnedMessage], back_to: &[String]) -> Result<(), String> {
    let wrapped: Vec<Option<Wrapped>> = messages.iter().map(|message| unwrapped(message.payload().unwrap_or_default())).collect();
    let mut outgoing = Vec::new();
    for (message, wrapped) in messages.iter().zip(&wrapped) {
        let original = wrapped.as_ref().map(|wrapped| &wrapped.original);
        let topic = target(original, back_to).map_err(|why| {
            format!("letter {}-{}: {why}; nothing of its partition was brought back", message.partition(), message.offset())
        })?;
        outgoing.push(original.map_or_else(
            || Outgoing::copy(message, topic, None),
            |original| Outgoing {
                topic,
                partition: Some(original.partition),
                key: original.key.as_deref(),
                value: original.value.as_deref(),
                headers: original.headers(),
            },
        ));
    }
    write(mapping, outgoing.into_iter())
}

/// The topic that a letter came from: one of the mappings', whatever the letter says.
fn target<'a>(original: Option<&Original>, back_to: &'a [String]) -> Result<&'a str, String> {
    match (original, back_to) {
        (Some(original), topics) => {
            let known = topics.iter().find(|topic| **topic == original.topic);
            known.map(String::as_str).ok_or_else(|| format!("no mapping that fails to here reads topic {}", original.topic))
        }
        (None, [only]) => Ok(only),
        (None, several) => Err(format!("it may be from {}", several.join(" or "))),
    }
}

fn waiting(consumer: &BaseConsumer<Quiet>, topic: &str) -> Result<Vec<Waiting>, String> {
    let failed = |error: rdkafka::error::KafkaError| format!("topic {topic}: {error}");
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE).map_err(failed)?;
    let found = metadata.topics().first().ok_or_else(|| format!("there is no topic {topic}"))?;
    let mut list = TopicPartitionList::new();
    for partition in found.partitions() {
        list.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(list, PATIENCE).map_err(failed)?;
    let one = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let (low, end) = watermarks(consumer, topic, element.partition())?;
        let first = if let Offset::Offset(offset) = element.offset() { offset.clamp(low, end) } else { low };
        Ok(Waiting { partition: element.partition(), first, end })
    };
    committed.elements().iter().map(one).collect()
}

/// librdkafka waits by blocking.
async fn blocking<T: Send + 'static>(
    mapping: &KafkaMapping,
    topic: &str,
    work: impl FnOnce(&BaseConsumer<Quiet>, &str) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (mapping, topic) = (mapping.clone(), topic.to_owned());
    let done = tokio::task::spawn_blocking(move || work(&consumer(&mapping, GROUP)?, &topic));
    done.await.unwrap_or_else(|error| Err(error.to_string()))
}
