//! Kafka records, read once more and written to the end of a topic.

use std::fmt;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message as _, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::route::Range;
use crate::kafka::{Deliveries, Quiet, cluster};
use crate::model::KafkaMapping;

/// How long a broker may take to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} offsets {} to {}", self.topic, self.partition, self.first, self.last)
    }
}

/// Reads the ranges and writes their records to the end of their partitions, all or an error. Yields how many.
pub(super) async fn again(ranges: Vec<Range>) -> Result<u64, String> {
    let work = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for range in &ranges {
            let consumer = consumer(&range.mapping, "usher-parked")?;
            let (low, high) = watermarks(&consumer, &range.topic, range.partition)?;
            if range.first < low || range.last >= high {
                return Err(format!("{range}: the topic has {low} to {} by now; those records are gone", high - 1));
            }
            all.push(read(&consumer, &range.topic, range.partition, range.first, range.last, usize::MAX)?);
        }
        // only now: what is written stays written, and a letter that stays would bring it again
        let mut count = 0;
        for (range, found) in ranges.iter().zip(&all) {
            write(&range.mapping, found.iter().map(|message| Outgoing::copy(message, &range.topic, Some(range.partition))))?;
            count += found.len() as u64;
        }
        Ok(count)
    });
    work.await.unwrap_or_else(|error| Err(error.to_string()))
}

pub(super) fn consumer(mapping: &KafkaMapping, group: &str) -> Result<BaseConsumer<Quiet>, String> {
    cluster(mapping)
        .set("group.id", group)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .create_with_context(Quiet)
        .map_err(|error| error.to_string())
}

pub(super) fn watermarks(consumer: &BaseConsumer<Quiet>, topic: &str, partition: i32) -> Result<(i64, i64), String> {
    consumer.fetch_watermarks(topic, partition, PATIENCE).map_err(|error| format!("topic {topic}: {error}"))
}

/// Records from `first` to `last` of a partition, at most `limit`.
pub(super) fn read(
    consumer: &BaseConsumer<Quiet>,
    topic: &str,
    partition: i32,
    first: i64,
    last: i64,
    limit: usize,
) -> Result<Vec<OwnedMessage>, String> {
    let failed = |error: KafkaError| format!("topic {topic}: {error}");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(first)).map_err(failed)?;
    consumer.assign(&list).map_err(failed)?;
    let mut found = Vec::new();
    let mut deadline = Instant::now() + PATIENCE;
    while found.len() < limit {
        if Instant::now() >= deadline {
            return Err(format!("topic {topic}: nothing came within {} s", PATIENCE.as_secs()));
        }
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) if message.offset() > last => break,
            Some(Ok(message)) => {
                deadline = Instant::now() + PATIENCE;
                let end = message.offset() == last;
                found.push(message.detach());
                if end {
                    break;
                }
            }
            // the last offsets may be gaps
            Some(Err(KafkaError::PartitionEOF(_))) => break,
            Some(Err(error)) => tracing::debug!(%error, "while reading records again"),
            None => {}
        }
    }
    Ok(found)
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
    /// The message as it is.
    pub(super) fn copy(message: &'a OwnedMessage, topic: &'a str, partition: Option<i32>) -> Self {
        Self { topic, partition, key: message.key(), value: message.payload(), headers: message.headers().cloned() }
    }
}

/// Writes records and waits until the brokers have every one of them. Order within a partition is kept.
pub(super) fn write<'a>(mapping: &KafkaMapping, records: impl Iterator<Item = Outgoing<'a>>) -> Result<(), String> {
    let producer: ThreadedProducer<Deliveries> = cluster(mapping)
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "15000")
        .set("allow.auto.create.topics", "false")
        .create_with_context(Deliveries::default())
        .map_err(|error| error.to_string())?;
    for outgoing in records {
        let topic = outgoing.topic;
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic);
        record.key = outgoing.key;
        record.payload = outgoing.value;
        record.partition = outgoing.partition;
        record.headers = outgoing.headers;
        let mut waiting = Some(record);
        while let Some(record) = waiting.take() {
            if let Err((error, back)) = producer.send(record) {
                if error.rdkafka_error_code() != Some(rdkafka::types::RDKafkaErrorCode::QueueFull) {
                    return Err(format!("topic {topic}: {error}"));
                }
                std::thread::sleep(Duration::from_millis(20));
                waiting = Some(back);
            }
        }
    }
    producer.flush(PATIENCE).map_err(|error| format!("not all records were taken: {error}"))?;
    producer.context().failure().map_or(Ok(()), |why| Err(format!("not all records were taken: {why}")))
}
