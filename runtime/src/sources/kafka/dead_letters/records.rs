//! Reads Kafka records again and appends them to their topic.

use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use sam_template::model::KafkaMapping;

use tokio::task::JoinError;

use super::ranges::RecordRange;
use crate::destinations::producer_config;
use crate::sources::kafka::reader::{PATIENCE, ReadError, consumer, read, watermarks};
use crate::sources::kafka::tokens::ClientTokens;
use crate::sources::kafka::{DeliveryResults, cluster};

/// Why records were not appended.
#[derive(Debug, thiserror::Error)]
pub(super) enum AppendError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{range}: the topic now has {low} to {}; those records are gone", .high - 1)]
    Gone {
        range: Box<RecordRange>,
        low: i64,
        high: i64,
    },
    #[error(transparent)]
    Producer(#[from] KafkaError),
    #[error(
        "{failed} of its records were not written, {written} were and another replay writes them \
         again; the record at {topic} offset {offset}: {error}"
    )]
    InPart {
        failed: usize,
        written: u64,
        topic: String,
        offset: i64,
        error: Box<WriteError>,
    },
    #[error(transparent)]
    Thread(#[from] JoinError),
}

/// Why a record was not written, or may not have been.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(
        "topic {topic}: no response within {} s; it may have been written",
        PATIENCE.as_secs()
    )]
    NoResponse { topic: String },
    #[error(
        "topic {topic} takes no record of {size} bytes; raise its max.message.bytes, or the \
         brokers' message.max.bytes, and replay again"
    )]
    TooLarge { topic: String, size: usize },
    #[error("topic {topic}: {code}")]
    Code {
        topic: String,
        code: RDKafkaErrorCode,
    },
    #[error("topic {topic}: {error}")]
    Other { topic: String, error: KafkaError },
}

impl WriteError {
    fn new(topic: String, size: usize, error: KafkaError) -> Self {
        match error.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge,
            ) => Self::TooLarge { topic, size },
            Some(code) => Self::Code { topic, code },
            None => Self::Other { topic, error },
        }
    }
}

/// Reads the ranges and appends their records to the same partitions. Returns their number.
///
/// # Errors
/// A record was deleted or the cluster is unavailable: nothing was written. Or some records were
/// not written: names the first one and the number of those that were.
pub(super) async fn append_again(ranges: Vec<RecordRange>) -> Result<u64, AppendError> {
    tokio::task::spawn_blocking(move || append(&ranges)).await?
}

fn append(ranges: &[RecordRange]) -> Result<u64, AppendError> {
    // written after all ranges are read: an error before the first write repeats nothing
    let all: Vec<Vec<OwnedMessage>> = ranges.iter().map(read_range).collect::<Result<_, _>>()?;
    let mut count = 0;
    let mut failed = Vec::new();
    for (range, found) in ranges.iter().zip(&all) {
        let copy = |message| OutgoingRecord::copy(message, &range.topic, Some(range.partition));
        let written = write(&range.mapping, found.iter().map(copy))?;
        for (message, written) in found.iter().zip(written) {
            match written {
                Ok(()) => count += 1,
                Err(error) => failed.push((&range.topic, message.offset(), error)),
            }
        }
    }
    let failures = failed.len();
    match failed.into_iter().next() {
        None => Ok(count),
        Some((topic, offset, error)) => Err(AppendError::InPart {
            failed: failures,
            written: count,
            topic: topic.clone(),
            offset,
            error: Box::new(error),
        }),
    }
}

fn read_range(range: &RecordRange) -> Result<Vec<OwnedMessage>, AppendError> {
    let RecordRange {
        ref topic,
        partition,
        first,
        last,
        ..
    } = *range;
    let consumer = consumer(&range.mapping, "usher-parked")?;
    let (low, high) = watermarks(&consumer, topic, partition)?;
    if first < low || last >= high {
        let range = Box::new(range.clone());
        return Err(AppendError::Gone { range, low, high });
    }
    Ok(read(&consumer, topic, partition, first, last, usize::MAX)?)
}

/// A record to write.
pub(super) struct OutgoingRecord {
    pub(super) topic: String,
    /// `None`: chosen by the key.
    pub(super) partition: Option<i32>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Option<OwnedHeaders>,
}

impl OutgoingRecord {
    /// An unchanged copy.
    pub(super) fn copy(message: &OwnedMessage, topic: &str, partition: Option<i32>) -> Self {
        Self {
            topic: topic.to_owned(),
            partition,
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().cloned(),
        }
    }
}

/// Writes records and waits for the result of each, in the order of the records. A failed record
/// does not affect the others. The written ones keep their order within a partition.
///
/// # Errors
/// The producer could not be created; nothing was written.
pub(super) fn write(
    mapping: &KafkaMapping,
    records: impl IntoIterator<Item = OutgoingRecord>,
) -> Result<Vec<Result<(), WriteError>>, KafkaError> {
    let producer: ThreadedProducer<DeliveryResults> = producer_config(cluster(mapping))
        .set("message.timeout.ms", "15000")
        .set("allow.auto.create.topics", "false")
        .create_with_context(DeliveryResults::new(ClientTokens::of(&mapping.security)))?;
    let mut sent = Vec::new();
    for (number, outgoing) in records.into_iter().enumerate() {
        let size =
            outgoing.key.as_ref().map_or(0, Vec::len) + outgoing.value.as_ref().map_or(0, Vec::len);
        let queued = enqueue(&producer, &outgoing, number);
        sent.push((outgoing.topic, size, queued));
    }
    // records without a result by then are reported
    let _ = producer.flush(PATIENCE);
    let one =
        |(number, (topic, size, queued)): (usize, (String, usize, Result<(), KafkaError>))| {
            let delivered = match queued {
                Ok(()) => match producer.context().of(number) {
                    Some(delivered) => delivered,
                    None => return Err(WriteError::NoResponse { topic }),
                },
                Err(error) => Err(error),
            };
            delivered.map_err(|error| WriteError::new(topic, size, error))
        };
    Ok(sent.into_iter().enumerate().map(one).collect())
}

/// Adds a record to the producer's queue. Waits while the queue is full.
fn enqueue(
    producer: &ThreadedProducer<DeliveryResults>,
    outgoing: &OutgoingRecord,
    number: usize,
) -> Result<(), KafkaError> {
    let mut record: BaseRecord<'_, [u8], [u8], usize> =
        BaseRecord::with_opaque_to(&outgoing.topic, number);
    record.key = outgoing.key.as_deref();
    record.payload = outgoing.value.as_deref();
    record.partition = outgoing.partition;
    record.headers.clone_from(&outgoing.headers);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, back))
                if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) =>
            {
                std::thread::sleep(Duration::from_millis(20));
                record = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}
