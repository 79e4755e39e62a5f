//! Dead letters in a topic. A consumer group commits how far they were replayed and which ones stay
//! (`partition_progress`).

use std::collections::BTreeSet;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::KafkaMapping;

use super::failure_document::{Content, parse};
use super::partition_progress::{MAX_STAYING, PartitionProgress};
use super::records::{OutgoingRecord, write};
use super::{DeadLetterView, ReplaySummary};
use crate::sources::kafka::SilentContext;
use crate::sources::kafka::reader::{
    FIRST_RECORD, PATIENCE, consumer, first_record, read, read_one, watermarks,
};

/// The group that commits the progress of replays.
const GROUP: &str = "usher-parked";

pub(super) async fn count(mapping: &KafkaMapping, topic: &str) -> Result<u64, String> {
    blocking(mapping, topic, &[], |dead| {
        let partitions = dead.partitions()?;
        Ok(partitions.iter().map(PartitionProgress::count).sum())
    })
    .await
}

pub(super) async fn peek(
    mapping: &KafkaMapping,
    topic: &str,
    back_to: &[String],
    limit: usize,
) -> Result<Vec<DeadLetterView>, String> {
    blocking(mapping, topic, back_to, move |dead| {
        let mut views = Vec::new();
        for part in dead.partitions()? {
            let messages = dead.first(&part, limit - views.len())?;
            views.extend(messages.iter().map(|message| dead.view(message)));
        }
        Ok(views)
    })
    .await
}

pub(super) async fn replay(
    mapping: &KafkaMapping,
    topic: &str,
    back_to: &[String],
    limit: usize,
) -> Result<ReplaySummary, String> {
    blocking(mapping, topic, back_to, move |dead| {
        let mut replay = TopicReplay {
            dead,
            left: limit,
            summary: ReplaySummary::default(),
        };
        for part in dead.partitions()? {
            replay.partition(part)?;
        }
        Ok(replay.summary)
    })
    .await
}

/// Runs the blocking calls of librdkafka on a thread for them.
async fn blocking<T: Send + 'static>(
    mapping: &KafkaMapping,
    topic: &str,
    back_to: &[String],
    work: impl FnOnce(&DeadTopic) -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let mapping = mapping.clone();
    let topic = topic.to_owned();
    let back_to = back_to.to_vec();
    let done = tokio::task::spawn_blocking(move || {
        let consumer = consumer(&mapping, GROUP)?;
        work(&DeadTopic {
            mapping,
            topic,
            back_to,
            consumer,
        })
    });
    done.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// A topic that holds dead letters.
struct DeadTopic {
    mapping: KafkaMapping,
    topic: String,
    /// Source topics of the mappings that fail to it.
    back_to: Vec<String>,
    consumer: BaseConsumer<SilentContext>,
}

impl DeadTopic {
    fn partitions(&self) -> Result<Vec<PartitionProgress>, String> {
        let topic = &self.topic;
        let failed = |error: KafkaError| format!("topic {topic}: {error}");
        let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE);
        let metadata = metadata.map_err(failed)?;
        let found = metadata
            .topics()
            .first()
            .ok_or_else(|| format!("there is no topic {topic}"))?;
        let mut list = TopicPartitionList::new();
        for partition in found.partitions() {
            list.add_partition(topic, partition.id());
        }
        let committed = self.consumer.committed_offsets(list, PATIENCE);
        let committed = committed.map_err(failed)?;
        let elements = committed.elements();
        elements
            .iter()
            .map(|element| self.progress(element))
            .collect()
    }

    /// How far the partition of a commit was replayed.
    fn progress(&self, commit: &TopicPartitionListElem<'_>) -> Result<PartitionProgress, String> {
        let topic = &self.topic;
        let partition = commit.partition();
        let bounds = watermarks(&self.consumer, topic, partition)?;
        let offset = match commit.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let mut part = PartitionProgress::read(partition, offset, commit.metadata(), bounds)
            .map_err(|why| format!("topic {topic}: {why}"))?;
        if part.first < part.end {
            // transaction markers and aborted records are not counted, if the brokers name the next
            // record
            let next = first_record(&self.consumer, (topic, partition), part.first, FIRST_RECORD);
            part.first = next.map_or(part.first, |next| next.unwrap_or(part.end).min(part.end));
        }
        Ok(part)
    }

    /// The oldest dead letters of a partition: those that stayed before, then those that were not
    /// tried.
    fn first(&self, part: &PartitionProgress, limit: usize) -> Result<Vec<OwnedMessage>, String> {
        let mut messages = self.stayed(part.partition, part.stayed.iter().take(limit))?;
        if part.first < part.end && messages.len() < limit {
            messages.extend(self.untried(part, limit - messages.len())?);
        }
        Ok(messages)
    }

    /// The dead letters at these offsets that the topic still has.
    fn stayed<'o>(
        &self,
        partition: i32,
        offsets: impl Iterator<Item = &'o i64>,
    ) -> Result<Vec<OwnedMessage>, String> {
        let mut messages = Vec::new();
        for offset in offsets {
            messages.extend(read_one(&self.consumer, &self.topic, partition, *offset)?);
        }
        Ok(messages)
    }

    /// The oldest dead letters of a partition that were not tried.
    fn untried(&self, part: &PartitionProgress, limit: usize) -> Result<Vec<OwnedMessage>, String> {
        let PartitionProgress { first, end, .. } = *part;
        Ok(read(
            &self.consumer,
            &self.topic,
            part.partition,
            first,
            end - 1,
            limit,
        )?)
    }

    fn view(&self, message: &OwnedMessage) -> DeadLetterView {
        let document = parse(message.payload().unwrap_or_default());
        let content = document.as_ref().map(|document| &document.content);
        let back_to = self.target(content).map_or_else(
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
            }) => format!(
                "(too large for this topic; it is read from {topic} {partition} offset {offset})"
            ),
        };
        let sent_ms = message.timestamp().to_millis();
        DeadLetterView {
            id: id(message),
            sent_ms: sent_ms.and_then(|ms| u64::try_from(ms).ok()),
            body,
            reason: document.map_or_else(|| "unknown".to_owned(), |document| document.reason),
            back_to,
        }
    }

    /// The record of a dead letter, for the topic that it came from.
    fn record(&self, dead: &OwnedMessage) -> Result<OutgoingRecord, String> {
        let content = parse(dead.payload().unwrap_or_default()).map(|document| document.content);
        let topic = self.target(content.as_ref())?;
        match content {
            // the dead letter itself is the record
            None => Ok(OutgoingRecord::copy(dead, topic, None)),
            Some(Content::Record(original)) => Ok(OutgoingRecord {
                topic: topic.to_owned(),
                partition: Some(original.partition),
                headers: original.headers(),
                key: original.key,
                value: original.value,
            }),
            Some(Content::Omitted {
                partition, offset, ..
            }) => {
                let found = read_one(&self.consumer, topic, partition, offset)?;
                let found = found.ok_or_else(|| {
                    format!(
                        "it was too large for this topic, and {topic} {partition} offset {offset} \
                         was deleted meanwhile; it cannot be replayed"
                    )
                })?;
                Ok(OutgoingRecord::copy(&found, topic, Some(partition)))
            }
        }
    }

    /// The source topic of a dead letter. It has to be a topic of the mappings.
    fn target(&self, content: Option<&Content>) -> Result<&str, String> {
        match (content.map(Content::topic), &self.back_to[..]) {
            (Some(source), topics) => {
                let known = topics.iter().find(|topic| *topic == source);
                known
                    .map(String::as_str)
                    .ok_or_else(|| format!("no mapping that fails to here reads topic {source}"))
            }
            (None, [only]) => Ok(only),
            (None, several) => Err(format!("it may come from {}", several.join(" or "))),
        }
    }

    fn commit(&self, part: &PartitionProgress) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(&self.topic, part.partition);
        if !part.stayed.is_empty() {
            element.set_metadata(part.metadata());
        }
        list.set_partition_offset(&self.topic, part.partition, Offset::Offset(part.first))?;
        self.consumer.commit(&list, CommitMode::Sync)
    }
}

fn id(message: &OwnedMessage) -> String {
    format!("{}-{}", message.partition(), message.offset())
}

/// A replay of the dead letters of one topic.
struct TopicReplay<'a> {
    dead: &'a DeadTopic,
    /// Dead letters that may still be tried.
    left: usize,
    summary: ReplaySummary,
}

impl TopicReplay<'_> {
    fn partition(&mut self, mut part: PartitionProgress) -> Result<(), String> {
        let again: BTreeSet<i64> = part.stayed.iter().take(self.left).copied().collect();
        part.stayed = &part.stayed - &again;
        let messages = self.dead.stayed(part.partition, again.iter())?;
        self.left -= messages.len();
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
            let limit = self.left.min(part.remaining());
            let messages = self.dead.untried(&part, limit)?;
            // the rest of the log holds no record
            let Some(last) = messages.last().map(rdkafka::Message::offset) else {
                break;
            };
            self.left -= messages.len();
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
        let mut outgoing = Vec::new();
        let found: Vec<Result<(), String>> = messages
            .iter()
            .map(|message| {
                self.dead
                    .record(message)
                    .map(|record| outgoing.push(record))
            })
            .collect();
        let mut written = write(&self.dead.mapping, outgoing)?.into_iter();
        for (found, message) in found.into_iter().zip(messages) {
            let not_sent = || Err("it was not sent".to_owned());
            let replayed = found.and_then(|()| written.next().unwrap_or_else(not_sent));
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
        self.dead.commit(part).map_err(|error| {
            format!(
                "records are back at their source, but the progress could not be committed: \
                 {error}; another replay writes them again"
            )
        })
    }
}
