//! Letters in a topic. Nothing can be deleted there: how far they were brought back, and which were not, is committed (`progress`), as a
//! consumer group. Each letter is brought back by itself: one that cannot be keeps no other back.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use super::progress::{MOST_STAYING, Waiting};
use super::records::{Outgoing, write};
use super::wrapped::{Content, unwrapped};
use super::{Replayed, Seen};
use crate::kafka::lookup::{
    FIRST_RECORD, PATIENCE, consumer, first_record, read, read_one, watermarks,
};
use crate::kafka::{Original, Quiet};
use crate::model::KafkaMapping;

/// The group whose progress says what was brought back.
const GROUP: &str = "usher-parked";

pub(super) async fn count(mapping: &KafkaMapping, topic: &str) -> Result<u64, String> {
    blocking(mapping, topic, |consumer, topic| {
        Ok(waiting(consumer, topic)?.iter().map(Waiting::count).sum())
    })
    .await
}

pub(super) async fn peek(
    mapping: &KafkaMapping,
    topic: &str,
    back_to: &[String],
    limit: usize,
) -> Result<Vec<Seen>, String> {
    let back_to = back_to.to_vec();
    blocking(mapping, topic, move |consumer, topic| {
        let mut seen = Vec::new();
        for part in waiting(consumer, topic)? {
            let messages = first(consumer, topic, &part, limit - seen.len())?;
            seen.extend(messages.iter().map(|message| shown(message, &back_to)));
        }
        Ok(seen)
    })
    .await
}

/// The first letters of a partition: those that stayed before, then those that were not looked at.
fn first(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    part: &Waiting,
    limit: usize,
) -> Result<Vec<OwnedMessage>, String> {
    let mut messages = Vec::new();
    for offset in part.stayed.iter().take(limit) {
        messages.extend(read_one(consumer, topic, part.partition, *offset)?);
    }
    if part.first < part.end && messages.len() < limit {
        messages.extend(read(
            consumer,
            topic,
            part.partition,
            part.first,
            part.end - 1,
            limit - messages.len(),
        )?);
    }
    Ok(messages)
}

fn shown(message: &OwnedMessage, back_to: &[String]) -> Seen {
    let wrapped = unwrapped(message.payload().unwrap_or_default());
    let content = wrapped.as_ref().map(|wrapped| &wrapped.content);
    let target = target(content, back_to).map_or_else(
        |why| format!("nowhere: {why}"),
        |topic| format!("topic {topic}"),
    );
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let body = match content {
        None => text(message.payload()),
        Some(Content::Record(original)) => text(original.value.as_deref()),
        Some(Content::Elsewhere {
            topic,
            partition,
            offset,
        }) => {
            format!(
                "(too large for this topic; it is read from {topic} {partition} offset {offset})"
            )
        }
    };
    Seen {
        id: id(message),
        sent_ms: message
            .timestamp()
            .to_millis()
            .and_then(|ms| u64::try_from(ms).ok()),
        body,
        reason: wrapped.map_or_else(|| "it does not say".to_owned(), |wrapped| wrapped.reason),
        back_to: target,
    }
}

fn id(message: &OwnedMessage) -> String {
    format!("{}-{}", message.partition(), message.offset())
}

pub(super) async fn replay(
    mapping: &KafkaMapping,
    topic: &str,
    back_to: &[String],
    limit: usize,
) -> Result<Replayed, String> {
    let place = mapping.clone();
    let back_to = back_to.to_vec();
    blocking(mapping, topic, move |consumer, topic| {
        let mut replayed = Replayed::default();
        let mut left = limit;
        for mut part in waiting(consumer, topic)? {
            let mut again = std::mem::take(&mut part.stayed).into_iter().collect::<Vec<_>>();
            // those beyond the limit stay as they are
            part.stayed.extend(again.split_off(again.len().min(left)));
            let looked_at = !again.is_empty();
            let mut messages = Vec::new();
            for offset in again {
                messages.extend(read_one(consumer, topic, part.partition, offset)?);
            }
            left -= messages.len().min(left);
            if looked_at {
                bring(&place, consumer, topic, &mut part, &messages, &back_to, &mut replayed)?;
            }
            while part.first < part.end && left > 0 {
                if part.room() == 0 {
                    replayed.stayed.push(format!(
                        "partition {}: {MOST_STAYING} letters stay there, and no further ones are tried before some are back",
                        part.partition
                    ));
                    break;
                }
                let messages = read(consumer, topic, part.partition, part.first, part.end - 1, left.min(part.room()))?;
                // the rest of the log holds no record
                let Some(last) = messages.last().map(rdkafka::Message::offset) else { break };
                left -= messages.len().min(left);
                part.first = last + 1;
                bring(&place, consumer, topic, &mut part, &messages, &back_to, &mut replayed)?;
            }
        }
        Ok(replayed)
    })
    .await
}

/// Writes the records of these letters to their topics, each by itself, and commits which are back and which stay.
fn bring(
    mapping: &KafkaMapping,
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    part: &mut Waiting,
    messages: &[OwnedMessage],
    back_to: &[String],
    replayed: &mut Replayed,
) -> Result<(), String> {
    let sources: Vec<Result<Source, String>> = messages
        .iter()
        .map(|message| source(consumer, message, back_to))
        .collect();
    let outgoing = sources
        .iter()
        .zip(messages)
        .filter_map(|(source, message)| Some(source.as_ref().ok()?.outgoing(message)));
    let mut written = write(mapping, outgoing)?.into_iter();
    for (source, message) in sources.iter().zip(messages) {
        let brought = match source {
            Ok(_) => written
                .next()
                .unwrap_or_else(|| Err("it was not sent".to_owned())),
            Err(why) => Err(why.clone()),
        };
        match brought {
            Ok(()) => {
                replayed.letters += 1;
                replayed.records += 1;
            }
            Err(why) => {
                replayed.stayed.push(format!("{}: {why}", id(message)));
                part.stayed.insert(message.offset());
            }
        }
    }
    let mut list = TopicPartitionList::new();
    let mut element = list.add_partition(topic, part.partition);
    if !part.stayed.is_empty() {
        element.set_metadata(part.metadata());
    }
    let committed = list.set_partition_offset(topic, part.partition, Offset::Offset(part.first));
    let committed = committed.and_then(|()| consumer.commit(&list, CommitMode::Sync));
    committed.map_err(|error| format!("records are back at their source, but that could not be noted: {error}; they come again"))
}

/// Where the record of a letter is, and where it goes.
struct Source {
    topic: String,
    /// `None`: the letter itself is the record.
    record: Option<Record>,
}

enum Record {
    /// Out of the letter.
    Inside(Original),
    /// Read again from its topic.
    Again(OwnedMessage),
}

impl Source {
    fn outgoing<'a>(&'a self, letter: &'a OwnedMessage) -> Outgoing<'a> {
        match &self.record {
            None => Outgoing::copy(letter, &self.topic, None),
            Some(Record::Again(message)) => {
                Outgoing::copy(message, &self.topic, Some(message.partition()))
            }
            Some(Record::Inside(original)) => Outgoing {
                topic: &self.topic,
                partition: Some(original.partition),
                key: original.key.as_deref(),
                value: original.value.as_deref(),
                headers: original.headers(),
            },
        }
    }
}

fn source(
    consumer: &BaseConsumer<Quiet>,
    letter: &OwnedMessage,
    back_to: &[String],
) -> Result<Source, String> {
    let content = unwrapped(letter.payload().unwrap_or_default()).map(|wrapped| wrapped.content);
    let topic = target(content.as_ref(), back_to)?.to_owned();
    let record = match content {
        None => None,
        Some(Content::Record(original)) => Some(Record::Inside(original)),
        Some(Content::Elsewhere {
            partition, offset, ..
        }) => {
            let found = read_one(consumer, &topic, partition, offset)?;
            Some(Record::Again(found.ok_or_else(|| {
                format!("it was too large for this topic, and {topic} {partition} offset {offset} is gone by now; nothing can bring it back")
            })?))
        }
    };
    Ok(Source { topic, record })
}

/// The topic that a letter came from: one of the mappings', whatever the letter says.
fn target<'a>(content: Option<&Content>, back_to: &'a [String]) -> Result<&'a str, String> {
    match (content, back_to) {
        (Some(content), topics) => {
            let known = topics.iter().find(|topic| *topic == content.topic());
            known.map(String::as_str).ok_or_else(|| {
                format!(
                    "no mapping that fails to here reads topic {}",
                    content.topic()
                )
            })
        }
        (None, [only]) => Ok(only),
        (None, several) => Err(format!("it may be from {}", several.join(" or "))),
    }
}

fn waiting(consumer: &BaseConsumer<Quiet>, topic: &str) -> Result<Vec<Waiting>, String> {
    let failed = |error: rdkafka::error::KafkaError| format!("topic {topic}: {error}");
    let metadata = consumer
        .fetch_metadata(Some(topic), PATIENCE)
        .map_err(failed)?;
    let found = metadata
        .topics()
        .first()
        .ok_or_else(|| format!("there is no topic {topic}"))?;
    let mut list = TopicPartitionList::new();
    for partition in found.partitions() {
        list.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(list, PATIENCE).map_err(failed)?;
    let one = |element: &rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        let bounds = watermarks(consumer, topic, element.partition())?;
        let offset = if let Offset::Offset(offset) = element.offset() {
            Some(offset)
        } else {
            None
        };
        let part = Waiting::read(element.partition(), offset, element.metadata(), bounds);
        let mut part = part.map_err(|why| format!("topic {topic}: {why}"))?;
        if part.first < part.end {
            // transaction markers and aborted records are no letters; where the brokers do not say what is next they count
            let next = first_record(consumer, (topic, part.partition), part.first, FIRST_RECORD);
            part.first = next.map_or(part.first, |next| next.unwrap_or(part.end).min(part.end));
        }
        Ok(part)
    };
    committed.elements().iter().map(one).collect()
}

/// librdkafka waits by blocking.
async fn blocking<T: Send + 'static>(
    mapping: &KafkaMapping,
    topic: &str,
    work: impl FnOnce(&BaseConsumer<Quiet>, &str) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let mapping = mapping.clone();
    let topic = topic.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&consumer(&mapping, GROUP)?, &topic));
    done.await.unwrap_or_else(|error| Err(error.to_string()))
}
