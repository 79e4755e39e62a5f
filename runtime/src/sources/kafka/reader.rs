//! Reads records and offsets for operators' commands, with a consumer that joins no group.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message as _, OwnedMessage};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::KafkaMapping;

use super::settings::cluster;
use super::silent::SilentContext;
use super::tokens::ClientTokens;

/// Time limit of a request, and between two records.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Time limit of [`first_record`]: a partition that cannot be read has none.
pub(crate) const FIRST_RECORD: Duration = Duration::from_secs(3);

/// Why records or offsets cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The consumer could not be created.
    #[error(transparent)]
    Consumer(#[from] KafkaError),
    #[error("topic {topic}: {error}")]
    Topic { topic: String, error: KafkaError },
    #[error("topic {topic}: no record within {} s", .patience.as_secs())]
    NoRecord { topic: String, patience: Duration },
}

impl ReadError {
    pub(crate) fn of(topic: &str) -> impl Fn(KafkaError) -> Self {
        move |error| Self::Topic {
            topic: topic.to_owned(),
            error,
        }
    }
}

/// A consumer that reads the offsets of this group and commits them while the group has no members.
pub(crate) fn consumer(
    mapping: &KafkaMapping,
    group: &str,
) -> Result<BaseConsumer<SilentContext>, ReadError> {
    let tokens = ClientTokens::of(&mapping.security);
    let consumer = cluster(mapping)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .create_with_context(SilentContext {
            tokens: tokens.clone(),
        })?;
    tokens.await_first(&consumer);
    Ok(consumer)
}

/// First offset and end of a partition's log.
pub(crate) fn watermarks(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), ReadError> {
    consumer
        .fetch_watermarks(topic, partition, PATIENCE)
        .map_err(ReadError::of(topic))
}

/// The partitions of a topic.
pub(crate) fn partitions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    patience: Duration,
) -> KafkaResult<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), patience)?;
    let topics = metadata.topics().iter();
    Ok(topics
        .flat_map(MetadataTopic::partitions)
        .map(MetadataPartition::id)
        .collect())
}

/// The offsets in a list, by partition.
pub(crate) fn by_partition(list: &TopicPartitionList) -> BTreeMap<i32, i64> {
    let offset = |element: &TopicPartitionListElem<'_>| match element.offset() {
        Offset::Offset(offset) => Some((element.partition(), offset)),
        _ => None,
    };
    list.elements().iter().filter_map(offset).collect()
}

/// The committed offset of the consumer's group in a partition, if any.
pub(crate) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
    patience: Duration,
) -> KafkaResult<Option<i64>> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    let committed = by_partition(&consumer.committed_offsets(list, patience)?);
    Ok(committed.get(&partition).copied())
}

/// Reads the records from `first` to `last` of a partition, `limit` at most.
pub(crate) fn read(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
    partition: i32,
    first: i64,
    last: i64,
    limit: usize,
) -> Result<Vec<OwnedMessage>, ReadError> {
    read_as(consumer, (topic, partition), first..=last, limit, owned)
}

fn owned(message: &BorrowedMessage<'_>) -> OwnedMessage {
    message.detach()
}

/// As [`read`]; `convert` is applied to each record.
pub(crate) fn read_as<T>(
    consumer: &BaseConsumer<SilentContext>,
    (topic, partition): (&str, i32),
    offsets: RangeInclusive<i64>,
    limit: usize,
    convert: impl Fn(&BorrowedMessage<'_>) -> T,
) -> Result<Vec<T>, ReadError> {
    assign(consumer, topic, partition, *offsets.start())?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(message) =
            next(consumer, topic, PATIENCE)?.filter(|message| message.offset() <= *offsets.end())
    {
        found.push(convert(&message));
        if message.offset() == *offsets.end() {
            break;
        }
    }
    Ok(found)
}

/// Offset of the first committed record at or after `from`. `None`: the log has only transaction
/// markers and aborted records there, or nothing.
///
/// # Errors
/// No response within `patience`, for example because a batch cannot be read.
pub(crate) fn first_record(
    consumer: &BaseConsumer<SilentContext>,
    (topic, partition): (&str, i32),
    from: i64,
    patience: Duration,
) -> Result<Option<i64>, ReadError> {
    assign(consumer, topic, partition, from)?;
    Ok(next(consumer, topic, patience)?.map(|message| message.offset()))
}

/// The consumer reads the partition from this offset on.
fn assign(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
    partition: i32,
    from: i64,
) -> Result<(), ReadError> {
    let mut list = TopicPartitionList::new();
    let added = list.add_partition_offset(topic, partition, Offset::Offset(from));
    let assigned = added.and_then(|()| consumer.assign(&list));
    assigned.map_err(ReadError::of(topic))
}

/// The next record. `None`: the log has no further one.
fn next<'c>(
    consumer: &'c BaseConsumer<SilentContext>,
    topic: &str,
    patience: Duration,
) -> Result<Option<BorrowedMessage<'c>>, ReadError> {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => return Ok(Some(message)),
            // the last offsets may have no record
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(None),
            Some(Err(error)) => {
                tracing::debug!(%error, "reading records failed; the reader retries");
            }
            None => {}
        }
    }
    Err(ReadError::NoRecord {
        topic: topic.to_owned(),
        patience,
    })
}

/// One record of a partition. `None`: the topic has deleted it.
pub(crate) fn read_one(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<OwnedMessage>, ReadError> {
    let (low, high) = watermarks(consumer, topic, partition)?;
    if offset < low || offset >= high {
        return Ok(None);
    }
    let found = read(consumer, topic, partition, offset, offset, 1)?;
    Ok(found.into_iter().find(|message| message.offset() == offset))
}
