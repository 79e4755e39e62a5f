//! Dead letters in a topic. A consumer group commits how far they were replayed and which ones stay
//! (`partition_progress`).

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::KafkaMapping;

use super::failure_document::{Content, parse};
use super::partition_progress::{MAX_STAYING, PartitionProgress};
use super::records::{OutgoingRecord, write};
use super::{DeadLetterView, ReplaySummary};
use crate::kafka::reader::{
    FIRST_RECORD, PATIENCE, consumer, first_record, read, read_one, watermarks,
};
use crate::kafka::{OriginalRecord, SilentContext};

/// The group that commits the progress of replays.
const GROUP: &str = "usher-parked";

pub(super) async fn count(mapping: &KafkaMapping, topic: &str) -> Result<u64, String> {
    blocking(mapping, topic, |consumer, topic| {
        Ok(partitions(consumer, topic)?
            .iter()
            .map(PartitionProgress::count)
            .sum())
    })
    .await
}

pub(super) async fn peek(
    mapping: &KafkaMapping,
    topic: &str,
    back_to: &[String],
    limit: usize,
) -> Result<Vec<DeadLetterView>, String> {
    let back_to = back_to.to_vec();
    blocking(mapping, topic, move |consumer, topic| {
        let mut views = Vec::new();
        for part in partitions(consumer, topic)? {
            let messages = first(consumer, topic, &part, limit - views.len())?;
            views.extend(messages.iter().map(|message| view(message, &back_to)));
        }
        Ok(views)
    })
    .await
}

/// The oldest dead letters of a partition: those that stayed before, then those that were not
/// tried.
fn first(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
    part: &PartitionProgress,
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

fn view(message: &OwnedMessage, back_to: &[String]) -> DeadLetterView {
    let document = parse(message.payload().unwrap_or_default());
    let content = document.as_ref().map(|document| &document.content);
    let target = target(content, back_to).map_or_else(
        |why| format!("nowhere: {why}"),
        |topic| format!("topic {topic}"),
    );
    let text =
        |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let body = match content {
        None => text(message.payload()),
        Some(Content::Record(original)) => text(original.value.as_deref()),
        Some(Content::Omitted {
            topic,
            partition,
            offset,
        }) => {
            format!(
                "(too large for this topic; it is read from {topic} {partition} offset {offset})"
            )
        }
    };
    DeadLetterView {
        id: id(message),
        sent_ms: message
            .timestamp()
            .to_millis()
            .and_then(|ms| u64::try_from(ms).ok()),
        body,
        reason: document.map_or_else(|| "unknown".to_owned(), |document| document.reason),
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
) -> Result<ReplaySummary, String> {
    let cluster = mapping.clone();
    let back_to = back_to.to_vec();
    blocking(mapping, topic, move |consumer, topic| {
        let mut replay = TopicReplay {
            mapping: &cluster,
            consumer,
            topic,
            back_to: &back_to,
            left: limit,
            summary: ReplaySummary::default(),
        };
        for part in partitions(consumer, topic)? {
            replay.partition(part)?;
        }
        Ok(replay.summary)
    })
    .await
}

/// A replay of the dead letters of one topic.
struct TopicReplay<'a> {
    mapping: &'a KafkaMapping,
    consumer: &'a BaseConsumer<SilentContext>,
    topic: &'a str,
    back_to: &'a [String],
    /// Dead letters that may still be tried.
    left: usize,
    summary: ReplaySummary,
}

impl TopicReplay<'_> {
    fn partition(&mut self, mut part: PartitionProgress) -> Result<(), String> {
        let mut again: Vec<i64> = std::mem::take(&mut part.stayed).into_iter().collect();
        let beyond_limit = again.split_off(again.len().min(self.left));
        part.stayed.extend(beyond_limit);
        let mut messages = Vec::new();
        for offset in &again {
            messages.extend(read_one(
                self.consumer,
                self.topic,
                part.partition,
                *offset,
            )?);
        }
        self.left -= messages.len().min(self.left);
        if !again.is_empty() {
            self.batch(&mut part, &messages)?;
        }
        while part.first < part.end && self.left > 0 {
            if part.remaining() == 0 {
                self.summary.stayed.push(format!(
                    "partition {}: {MAX_STAYING} dead letters stay there; no further ones are \
                     tried before some of them are replayed",
                    part.partition
                ));
                break;
            }
            let messages = read(
                self.consumer,
                self.topic,
                part.partition,
                part.first,
                part.end - 1,
                self.left.min(part.remaining()),
            )?;
            // the rest of the log holds no record
            let Some(last) = messages.last().map(rdkafka::Message::offset) else {
                break;
            };
            self.left -= messages.len().min(self.left);
            part.first = last + 1;
            self.batch(&mut part, &messages)?;
        }
        Ok(())
    }

    /// Writes the records of these dead letters to their source topics and commits which ones stay.
    fn batch(
        &mut self,
        part: &mut PartitionProgress,
        messages: &[OwnedMessage],
    ) -> Result<(), String> {
        let sources: Vec<Result<Source, String>> = messages
            .iter()
            .map(|message| source(self.consumer, message, self.back_to))
            .collect();
        let outgoing = sources
            .iter()
            .zip(messages)
            .filter_map(|(source, message)| Some(source.as_ref().ok()?.outgoing(message)));
        let mut written = write(self.mapping, outgoing)?.into_iter();
        for (source, message) in sources.iter().zip(messages) {
            let replayed = match source {
                Ok(_) => written
                    .next()
                    .unwrap_or_else(|| Err("it was not sent".to_owned())),
                Err(why) => Err(why.clone()),
            };
            match replayed {
                Ok(()) => {
                    self.summary.dead_letters += 1;
                    self.summary.records += 1;
                }
                Err(why) => {
                    self.summary.stayed.push(format!("{}: {why}", id(message)));
                    part.stayed.insert(message.offset());
                }
            }
        }
        self.commit(part).map_err(|error| {
            format!(
                "records are back at their source, but the progress could not be committed: \
                 {error}; another replay writes them again"
            )
        })
    }

    fn commit(&self, part: &PartitionProgress) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(self.topic, part.partition);
        if !part.stayed.is_empty() {
            element.set_metadata(part.metadata());
        }
        list.set_partition_offset(self.topic, part.partition, Offset::Offset(part.first))?;
        self.consumer.commit(&list, CommitMode::Sync)
    }
}

/// The record of a dead dead and the topic that receives it.
struct Source {
    topic: String,
    /// `None`: the dead dead itself is the record.
    record: Option<SourceRecord>,
}

enum SourceRecord {
    /// Contained in the dead dead.
    Contained(OriginalRecord),
    /// Read again from its topic.
    Reread(OwnedMessage),
}

impl Source {
    fn outgoing<'a>(&'a self, dead: &'a OwnedMessage) -> OutgoingRecord<'a> {
        match &self.record {
            None => OutgoingRecord::copy(dead, &self.topic, None),
            Some(SourceRecord::Reread(message)) => {
                OutgoingRecord::copy(message, &self.topic, Some(message.partition()))
            }
            Some(SourceRecord::Contained(original)) => OutgoingRecord {
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
    consumer: &BaseConsumer<SilentContext>,
    dead: &OwnedMessage,
    back_to: &[String],
) -> Result<Source, String> {
    let content = parse(dead.payload().unwrap_or_default()).map(|document| document.content);
    let topic = target(content.as_ref(), back_to)?.to_owned();
    let record = match content {
        None => None,
        Some(Content::Record(original)) => Some(SourceRecord::Contained(original)),
        Some(Content::Omitted {
            partition, offset, ..
        }) => {
            let found = read_one(consumer, &topic, partition, offset)?;
            Some(SourceRecord::Reread(found.ok_or_else(|| {
                format!(
                    "it was too large for this topic, and {topic} {partition} offset {offset} was \
                     deleted meanwhile; it cannot be replayed"
                )
            })?))
        }
    };
    Ok(Source { topic, record })
}

/// The source topic of a dead dead. It has to be a topic of the mappings.
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
        (None, several) => Err(format!("it may come from {}", several.join(" or "))),
    }
}

fn partitions(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
) -> Result<Vec<PartitionProgress>, String> {
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
        let part = PartitionProgress::read(element.partition(), offset, element.metadata(), bounds);
        let mut part = part.map_err(|why| format!("topic {topic}: {why}"))?;
        if part.first < part.end {
            // transaction markers and aborted records are not counted, if the brokers name the next
            // record
            let next = first_record(consumer, (topic, part.partition), part.first, FIRST_RECORD);
            part.first = next.map_or(part.first, |next| next.unwrap_or(part.end).min(part.end));
        }
        Ok(part)
    };
    committed.elements().iter().map(one).collect()
}

/// Runs the blocking calls of librdkafka on a thread for them.
async fn blocking<T: Send + 'static>(
    mapping: &KafkaMapping,
    topic: &str,
    work: impl FnOnce(&BaseConsumer<SilentContext>, &str) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let mapping = mapping.clone();
    let topic = topic.to_owned();
    let done = tokio::task::spawn_blocking(move || work(&consumer(&mapping, GROUP)?, &topic));
    done.await.unwrap_or_else(|error| Err(error.to_string()))
}
