//! Dead letters in a topic. A consumer group commits how far they were replayed and which ones stay
//! (`progress`).

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::KafkaMapping;
use tokio::task::JoinError;

use super::document::{Content, parse};
use super::progress::{ForeignMetadata, PartitionProgress};
use super::records::OutgoingRecord;
use super::replay::{NotReplayed, TopicReplay};
use crate::client::InvokeClient;
use crate::parked::{DeadLetterError, DeadLetterStore, DeadLetterView, ReplaySummary};
use crate::sources::kafka::SilentContext;
use crate::sources::kafka::reader::{
    FIRST_RECORD, PATIENCE, ReadError, consumer, first_record, read, read_one, watermarks,
};

/// The group that commits the progress of replays.
const GROUP: &str = "usher-parked";

/// A topic that is the on-failure destination of mappings.
#[derive(Debug)]
pub(super) struct TopicStore(Arc<Destination>);

#[derive(Debug, Clone)]
struct Destination {
    topic: String,
    /// One of the mappings: it has the addresses and credentials of the cluster.
    mapping: KafkaMapping,
    /// Source topics of the mappings, without duplicates.
    back_to: Vec<String>,
}

/// Why a topic of dead letters cannot be read, or its progress not be committed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TopicError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("there is no topic {0}")]
    NoTopic(String),
    #[error("topic {topic}: {error}")]
    Progress {
        topic: String,
        error: ForeignMetadata,
    },
    /// No record of the batch was written.
    #[error(transparent)]
    Producer(#[from] KafkaError),
    #[error(
        "records are back at their source, but the progress could not be committed: {0}; another \
         replay writes them again"
    )]
    NotCommitted(KafkaError),
    #[error(transparent)]
    Thread(#[from] JoinError),
}

impl TopicStore {
    pub(super) fn new(topic: &str, mapping: &KafkaMapping) -> Self {
        Self(Arc::new(Destination {
            topic: topic.to_owned(),
            mapping: mapping.clone(),
            back_to: Vec::new(),
        }))
    }

    /// Adds the topics of a mapping that fails to it.
    pub(super) fn add(&mut self, mapping: &KafkaMapping) {
        let back_to = &mut Arc::make_mut(&mut self.0).back_to;
        for topic in &mapping.topics {
            if !back_to.contains(topic) {
                back_to.push(topic.clone());
            }
        }
    }

    /// Runs the blocking calls of librdkafka on a thread for them.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DeadTopic) -> Result<T, TopicError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, DeadLetterError>> {
        let store = self.0.clone();
        let work = move || {
            let consumer = consumer(&store.mapping, GROUP)?;
            work(&DeadTopic { store, consumer })
        };
        async {
            Ok(tokio::task::spawn_blocking(work)
                .await
                .map_err(TopicError::Thread)??)
        }
        .boxed()
    }
}

impl DeadLetterStore for TopicStore {
    fn name(&self) -> &str {
        &self.0.topic
    }

    fn sources(&self) -> String {
        format!("topic {}", self.0.back_to.join(", "))
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
        self.blocking(|dead| {
            let partitions = dead.partitions()?;
            Ok(partitions.iter().map(PartitionProgress::count).sum())
        })
    }

    fn peek(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetterView>, DeadLetterError>> {
        self.blocking(move |dead| {
            let mut views = Vec::new();
            for part in dead.partitions()? {
                let messages = dead.first(&part, limit - views.len())?;
                views.extend(messages.iter().map(|message| dead.view(message)));
            }
            Ok(views)
        })
    }

    fn replay<'a>(
        &'a self,
        limit: usize,
        _host: Option<&'a InvokeClient>,
    ) -> BoxFuture<'a, Result<ReplaySummary, DeadLetterError>> {
        self.blocking(move |dead| TopicReplay::new(dead, limit).run())
    }
}

/// An open topic that holds dead letters.
pub(super) struct DeadTopic {
    store: Arc<Destination>,
    consumer: BaseConsumer<SilentContext>,
}

impl DeadTopic {
    /// The mapping with the addresses and credentials of the cluster.
    pub(super) fn mapping(&self) -> &KafkaMapping {
        &self.store.mapping
    }

    /// How far each partition was replayed.
    pub(super) fn partitions(&self) -> Result<Vec<PartitionProgress>, TopicError> {
        let topic = &self.store.topic;
        let metadata = self.consumer.fetch_metadata(Some(topic), PATIENCE);
        let metadata = metadata.map_err(ReadError::of(topic))?;
        let found = metadata
            .topics()
            .first()
            .ok_or_else(|| TopicError::NoTopic(topic.clone()))?;
        let mut list = TopicPartitionList::new();
        for partition in found.partitions() {
            list.add_partition(topic, partition.id());
        }
        let committed = self.consumer.committed_offsets(list, PATIENCE);
        let committed = committed.map_err(ReadError::of(topic))?;
        let elements = committed.elements();
        elements
            .iter()
            .map(|element| self.progress(element))
            .collect()
    }

    /// How far the partition of a commit was replayed.
    fn progress(
        &self,
        commit: &TopicPartitionListElem<'_>,
    ) -> Result<PartitionProgress, TopicError> {
        let topic = &self.store.topic;
        let partition = commit.partition();
        let bounds = watermarks(&self.consumer, topic, partition)?;
        let offset = match commit.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        let mut part = PartitionProgress::read(partition, offset, commit.metadata(), bounds)
            .map_err(|error| TopicError::Progress {
                topic: topic.clone(),
                error,
            })?;
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
    fn first(
        &self,
        part: &PartitionProgress,
        limit: usize,
    ) -> Result<Vec<OwnedMessage>, ReadError> {
        let mut messages = self.stayed(part.partition, part.stayed.iter().take(limit))?;
        if part.first < part.end && messages.len() < limit {
            messages.extend(self.untried(part, limit - messages.len())?);
        }
        Ok(messages)
    }

    /// The dead letters at these offsets that the topic still has.
    pub(super) fn stayed<'o>(
        &self,
        partition: i32,
        offsets: impl Iterator<Item = &'o i64>,
    ) -> Result<Vec<OwnedMessage>, ReadError> {
        let mut messages = Vec::new();
        for offset in offsets {
            messages.extend(read_one(
                &self.consumer,
                &self.store.topic,
                partition,
                *offset,
            )?);
        }
        Ok(messages)
    }

    /// The oldest dead letters of a partition that were not tried.
    pub(super) fn untried(
        &self,
        part: &PartitionProgress,
        limit: usize,
    ) -> Result<Vec<OwnedMessage>, ReadError> {
        let PartitionProgress { first, end, .. } = *part;
        read(
            &self.consumer,
            &self.store.topic,
            part.partition,
            first,
            end - 1,
            limit,
        )
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
    pub(super) fn record(&self, dead: &OwnedMessage) -> Result<OutgoingRecord, NotReplayed> {
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
                let found = found.ok_or_else(|| NotReplayed::Deleted {
                    topic: topic.to_owned(),
                    partition,
                    offset,
                })?;
                Ok(OutgoingRecord::copy(&found, topic, Some(partition)))
            }
        }
    }

    /// The source topic of a dead letter. It has to be a topic of the mappings.
    fn target(&self, content: Option<&Content>) -> Result<&str, NotReplayed> {
        match (content.map(Content::topic), &self.store.back_to[..]) {
            (Some(source), topics) => {
                let known = topics.iter().find(|topic| *topic == source);
                known
                    .map(String::as_str)
                    .ok_or_else(|| NotReplayed::NotRead(source.to_owned()))
            }
            (None, [only]) => Ok(only),
            (None, several) => Err(NotReplayed::Ambiguous(several.to_vec())),
        }
    }

    pub(super) fn commit(&self, part: &PartitionProgress) -> KafkaResult<()> {
        let mut list = TopicPartitionList::new();
        let mut element = list.add_partition(&self.store.topic, part.partition);
        if !part.stayed.is_empty() {
            element.set_metadata(part.metadata());
        }
        list.set_partition_offset(
            &self.store.topic,
            part.partition,
            Offset::Offset(part.first),
        )?;
        self.consumer.commit(&list, CommitMode::Sync)
    }
}

pub(super) fn id(message: &OwnedMessage) -> String {
    format!("{}-{}", message.partition(), message.offset())
}
