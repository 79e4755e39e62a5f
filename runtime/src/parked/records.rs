//! Reads Kafka records again and appends them to their topic.

use std::fmt;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use sam_template::model::KafkaMapping;

use super::route::RecordRange;
use crate::destinations::producer_config;
use crate::sources::kafka::reader::{PATIENCE, consumer, read, watermarks};
use crate::sources::kafka::{DeliveryResults, cluster};

impl fmt::Display for RecordRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} offsets {} to {}",
            self.topic, self.partition, self.first, self.last
        )
    }
}

/// Reads the ranges and appends their records to the same partitions. Returns their number.
///
/// # Errors
/// A record was deleted or the cluster is unavailable: nothing was written. Or some records were
/// not written: names the first one and the number of those that were.
pub(super) async fn append_again(ranges: Vec<RecordRange>) -> Result<u64, String> {
    let work = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for range in &ranges {
            let consumer = consumer(&range.mapping, "usher-parked")?;
            let (low, high) = watermarks(&consumer, &range.topic, range.partition)?;
            if range.first < low || range.last >= high {
                return Err(format!(
                    "{range}: the topic now has {low} to {}; those records are gone",
                    high - 1
                ));
            }
            all.push(read(
                &consumer,
                &range.topic,
                range.partition,
                range.first,
                range.last,
                usize::MAX,
            )?);
        }
        // written after all ranges are read: an error before the first write repeats nothing
        let mut count = 0;
        let mut failed = Vec::new();
        for (range, found) in ranges.iter().zip(&all) {
            let copy = |message| OutgoingRecord::copy(message, &range.topic, Some(range.partition));
            for (message, written) in found
                .iter()
                .zip(write(&range.mapping, found.iter().map(copy))?)
            {
                match written {
                    Ok(()) => count += 1,
                    Err(why) => failed.push(format!(
                        "the record at {} offset {}: {why}",
                        range.topic,
                        message.offset()
                    )),
                }
            }
        }
        match failed.first() {
            None => Ok(count),
            Some(first) => Err(format!(
                "{} of its records were not written, {count} were and another replay writes them \
                 again; {first}",
                failed.len()
            )),
        }
    });
    work.await.unwrap_or_else(|error| Err(error.to_string()))
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
) -> Result<Vec<Result<(), String>>, String> {
    let producer: ThreadedProducer<DeliveryResults> = producer_config(cluster(mapping))
        .set("message.timeout.ms", "15000")
        .set("allow.auto.create.topics", "false")
        .create_with_context(DeliveryResults::default())
        .map_err(|error| error.to_string())?;
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
            let unknown = || {
                format!(
                    "topic {topic}: no response within {} s; it may have been written",
                    PATIENCE.as_secs()
                )
            };
            let delivered = match queued {
                Ok(()) => producer.context().of(number).ok_or_else(unknown)?,
                Err(error) => Err(error),
            };
            delivered.map_err(|error| write_error(&topic, size, &error))
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

fn write_error(topic: &str, size: usize, error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge) => {
            format!(
                "topic {topic} takes no record of {size} bytes; raise its max.message.bytes, or \
                 the brokers' message.max.bytes, and replay again"
            )
        }
        Some(code) => format!("topic {topic}: {code}"),
        None => format!("topic {topic}: {error}"),
    }
}
