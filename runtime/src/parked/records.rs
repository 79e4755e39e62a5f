//! Kafka records, read once more and written to the end of a topic.

use std::fmt;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};

use super::route::Range;
use crate::kafka::lookup::{PATIENCE, consumer, read, watermarks};
use crate::kafka::{Deliveries, LARGEST_REQUEST, cluster};
use crate::model::KafkaMapping;

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} offsets {} to {}",
            self.topic, self.partition, self.first, self.last
        )
    }
}

/// Reads the ranges and writes their records to the end of their partitions. Yields how many.
///
/// # Errors
/// Nothing was written, because a record is gone or the cluster is away; or which record was not taken, and how many were.
pub(super) async fn again(ranges: Vec<Range>) -> Result<u64, String> {
    let work = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for range in &ranges {
            let consumer = consumer(&range.mapping, "usher-parked")?;
            let (low, high) = watermarks(&consumer, &range.topic, range.partition)?;
            if range.first < low || range.last >= high {
                return Err(format!(
                    "{range}: the topic has {low} to {} by now; those records are gone",
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
        // only now: what is written stays written, and a letter that stays would bring it again
        let mut count = 0;
        let mut wrong = Vec::new();
        for (range, found) in ranges.iter().zip(&all) {
            let outgoing = found
                .iter()
                .map(|message| Outgoing::copy(message, &range.topic, Some(range.partition)));
            for (message, written) in found.iter().zip(write(&range.mapping, outgoing)?) {
                match written {
                    Ok(()) => count += 1,
                    Err(why) => wrong.push(format!(
                        "the record at {} offset {}: {why}",
                        range.topic,
                        message.offset()
                    )),
                }
            }
        }
        match wrong.first() {
            None => Ok(count),
            Some(first) => Err(format!(
                "{} of its records were not taken, {count} were and come again with another replay; {first}",
                wrong.len()
            )),
        }
    });
    work.await.unwrap_or_else(|error| Err(error.to_string()))
}

/// A record to be written.
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    /// `None`: the key decides.
    pub(super) partition: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Option<OwnedHeaders>,
}

impl<'a> Outgoing<'a> {
    fn size(&self) -> usize {
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len)
    }

    /// The message as it is.
    pub(super) fn copy(message: &'a OwnedMessage, topic: &'a str, partition: Option<i32>) -> Self {
        Self {
            topic,
            partition,
            key: message.key(),
            value: message.payload(),
            headers: message.headers().cloned(),
        }
    }
}

/// Writes records and waits until the brokers have answered for each. What became of each is independent of the others, in their
/// order; order within a partition is kept among those that are taken.
///
/// # Errors
/// There is no producer for this cluster; nothing was written.
pub(super) fn write<'a>(
    mapping: &KafkaMapping,
    records: impl Iterator<Item = Outgoing<'a>>,
) -> Result<Vec<Result<(), String>>, String> {
    let producer: ThreadedProducer<Deliveries> = cluster(mapping)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "15000")
        .set("allow.auto.create.topics", "false")
        // the topic decides what is too large, not the producer
        .set("message.max.bytes", LARGEST_REQUEST)
        // a batch that is refused takes every record in it along: each record is a batch of its own
        .set("batch.num.messages", "1")
        .create_with_context(Deliveries::default())
        .map_err(|error| error.to_string())?;
    let mut sent = Vec::new();
    for (number, outgoing) in records.enumerate() {
        sent.push((
            outgoing.topic,
            outgoing.size(),
            hand_over(&producer, outgoing, number),
        ));
    }
    // what is not answered by then is reported as such
    let _ = producer.flush(PATIENCE);
    let one = |(number, (topic, size, handed)): (usize, (&str, usize, Result<(), KafkaError>))| {
        let unknown = || {
            format!(
                "topic {topic}: no answer within {} s; it may have been written",
                PATIENCE.as_secs()
            )
        };
        let delivered = match handed {
            Ok(()) => producer.context().of(number).ok_or_else(unknown)?,
            Err(error) => Err(error),
        };
        delivered.map_err(|error| not_taken(topic, size, &error))
    };
    Ok(sent.into_iter().enumerate().map(one).collect())
}

/// Hands a record to the producer, as soon as its queue has room.
fn hand_over(
    producer: &ThreadedProducer<Deliveries>,
    outgoing: Outgoing<'_>,
    number: usize,
) -> Result<(), KafkaError> {
    let mut record: BaseRecord<'_, [u8], [u8], usize> =
        BaseRecord::with_opaque_to(outgoing.topic, number);
    record.key = outgoing.key;
    record.payload = outgoing.value;
    record.partition = outgoing.partition;
    record.headers = outgoing.headers;
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

fn not_taken(topic: &str, size: usize, error: &KafkaError) -> String {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge) => {
            format!(
                "topic {topic} takes no record of {size} bytes; raise its max.message.bytes, or the brokers' message.max.bytes, and replay again"
            )
        }
        Some(code) => format!("topic {topic}: {code}"),
        None => format!("topic {topic}: {error}"),
    }
}
