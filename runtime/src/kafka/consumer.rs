//! The thread that polls: fetched messages become encoded chunks; rebalances and errors become events for the driver.
//!
//! librdkafka calls back on this thread, inside `poll`. It therefore always polls, even with every partition paused, or
//! the group would think this host dead. A callback may wait, within bounds: for the driver's word on what is done, and
//! for the broker's on a commit, because a partition that is being given up is committed before it goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};
use tokio::sync::mpsc::Sender;

use super::buffer::Chunk;
use super::encode;
use super::offsets;
use super::status::Progress;
use crate::filter::Filters;
use crate::mapping::{Offset, Partition};
use crate::model::{KafkaMapping, StartingPosition};

/// A chunk is handed on when it has this many bytes: what a body should have, and enough to make the hand-over cheap.
const CHUNK_BYTES: usize = 512 * 1024;

/// Or when its first record has waited this long while others keep arriving.
const CHUNK_WAIT: Duration = Duration::from_millis(5);

/// How long a poll waits when there is nothing.
const POLL: Duration = Duration::from_millis(100);

/// How long a partition's departure waits for the driver's word.
const REVOKE_PATIENCE: Duration = Duration::from_secs(5);

/// From the polling thread to the driver, in order.
#[derive(Debug)]
pub(super) enum Event {
    Records(Partition, Chunk),
    Assigned(Vec<Partition>),
    /// Answer with what is done; it is committed before the partitions go.
    Revoked(Vec<Partition>, mpsc::Sender<Vec<(Partition, Offset)>>),
    Lost(Vec<Partition>),
    CommitFailed(Vec<Partition>),
}

pub(super) type MappingConsumer = BaseConsumer<Context>;

/// What librdkafka calls back into.
pub(super) struct Context {
    mapping: String,
    topics: Vec<String>,
    start: StartingPosition,
    servers: String,
    filters: Option<Filters>,
    events: Sender<Event>,
    progress: Arc<Progress>,
}

impl Context {
    pub(super) fn new(mapping: &KafkaMapping, events: Sender<Event>, progress: Arc<Progress>) -> Self {
        Self {
            mapping: mapping.id.clone(),
            topics: mapping.topics.clone(),
            start: mapping.start,
            servers: mapping.bootstrap_servers.clone(),
            filters: mapping.filters.clone(),
            events,
            progress,
        }
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        list.elements().iter().filter_map(|element| partition(&self.topics, element.topic(), element.partition())).collect()
    }

    fn send(&self, event: Event) -> bool {
        // the driver is gone only while the host shuts down, after everything is committed
        self.events.blocking_send(event).is_ok()
    }

    /// Says once that the broker is away, and once that it is back.
    fn broker_is(&self, away: bool) {
        if self.progress.away.swap(away, Ordering::Relaxed) != away {
            if away {
                tracing::warn!(mapping = %self.mapping, servers = %self.servers, "Kafka is away; records wait there, and this host keeps trying");
            } else {
                tracing::info!(mapping = %self.mapping, servers = %self.servers, "Kafka is back");
            }
        }
    }

    fn assign(&self, consumer: &MappingConsumer, list: &mut TopicPartitionList) {
        if let Err(error) = offsets::settle(consumer, self.start, list) {
            tracing::warn!(mapping = %self.mapping, %error, "cannot commit where the group starts; the broker's own offsets are used");
        }
        let partitions = self.partitions(list);
        // a cooperative rebalance may bring nothing; librdkafka still wants its answer
        if !partitions.is_empty() {
            self.send(Event::Assigned(partitions));
        }
        if let Err(error) = consumer.incremental_assign(list) {
            tracing::error!(mapping = %self.mapping, %error, "cannot take partitions over");
        }
        // a pause from an earlier assignment must not outlive it
        let _ = consumer.resume(list);
    }

    fn revoke(&self, consumer: &MappingConsumer, list: &TopicPartitionList) {
        let partitions = self.partitions(list);
        if partitions.is_empty() {
            tracing::debug!(mapping = %self.mapping, "a rebalance took nothing away");
        } else if consumer.assignment_lost() {
            tracing::warn!(mapping = %self.mapping, ?partitions, "partitions lost; another host may work on the same records");
            self.send(Event::Lost(partitions));
        } else {
            let (answer, done) = mpsc::channel();
            if self.send(Event::Revoked(partitions, answer))
                && let Ok(done) = done.recv_timeout(REVOKE_PATIENCE)
                && !done.is_empty()
                && let Err(error) = commit(consumer, &self.topics, &done, CommitMode::Sync)
            {
                tracing::warn!(mapping = %self.mapping, %error, "cannot commit partitions that are being given up; their last records will be read again");
            }
        }
        if let Err(error) = consumer.incremental_unassign(list) {
            tracing::error!(mapping = %self.mapping, %error, "cannot give partitions up");
        }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // an offset out of range loses or repeats records: never quiet
        if facility == "OFFSET" && !matches!(level, RDKafkaLogLevel::Debug) {
            tracing::error!(mapping = %self.mapping, "ALARM: a committed offset is no longer in the log; reading goes on from StartingPosition: {message}");
        } else {
            tracing::debug!(mapping = %self.mapping, facility, "{message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => self.broker_is(true),
            Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve) => {
                tracing::debug!(mapping = %self.mapping, reason, "a connection to Kafka failed");
            }
            _ => tracing::warn!(mapping = %self.mapping, %error, reason, "Kafka reports an error"),
        }
    }

    fn stats(&self, statistics: Statistics) {
        // the bootstrap entry and the coordinator are logical brokers; a real one has an id
        if statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP") {
            self.broker_is(false);
        }
        for topic in statistics.topics.values() {
            for state in topic.partitions.values() {
                if let Some(partition) = partition(&self.topics, &topic.topic, state.partition)
                    && state.hi_offset >= 0
                {
                    self.progress.end(partition, state.hi_offset);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            _ => self.revoke(consumer, list),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, offsets: &TopicPartitionList) {
        let nothing = matches!(&result, Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset));
        if let Err(error) = result
            && !nothing
        {
            tracing::debug!(mapping = %self.mapping, %error, "a commit failed; it is made again");
            self.send(Event::CommitFailed(self.partitions(offsets)));
        }
    }
}

/// The mapping's own name for a partition.
pub(super) fn partition(topics: &[String], topic: &str, number: i32) -> Option<Partition> {
    let topic = topics.iter().position(|name| name == topic)?;
    Some(Partition { topic, number })
}

/// The broker's name for partitions with offsets.
pub(super) fn list(topics: &[String], offsets: &[(Partition, Offset)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        list.add_partition_offset(&topics[partition.topic], partition.number, rdkafka::Offset::Offset(*offset))?;
    }
    Ok(list)
}

pub(super) fn commit(
    consumer: &MappingConsumer,
    topics: &[String],
    offsets: &[(Partition, Offset)],
    mode: CommitMode,
) -> KafkaResult<()> {
    consumer.commit(&list(topics, offsets)?, mode)
}

/// Polls until `stop`, or until the driver is gone. `free` brings back the memory of chunks that are done.
///
/// # Errors
/// Why the consumer cannot go on.
pub(super) fn poll(
    consumer: &MappingConsumer,
    events: &Sender<Event>,
    free: &mpsc::Receiver<Vec<u8>>,
    stop: &AtomicBool,
    batch: usize,
) -> Result<(), String> {
    let topics = consumer.context().topics.clone();
    let filters = consumer.context().filters.clone();
    let append = |chunk: &mut Chunk, message: &BorrowedMessage<'_>| {
        if !append(chunk, message, filters.as_ref()) {
            consumer.context().progress.filtered.fetch_add(1, Ordering::Relaxed);
        }
    };
    let mut open: BTreeMap<Partition, Chunk> = BTreeMap::new();
    let mut since = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let wait = if open.is_empty() { POLL } else { Duration::ZERO };
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                let Some(partition) = partition(&topics, message.topic(), message.partition()) else { continue };
                if open.is_empty() {
                    since = Instant::now();
                }
                let chunk = open.entry(partition).or_insert_with(|| Chunk::reusing(free.try_recv().unwrap_or_default()));
                if chunk.end().is_some_and(|last| last >= message.offset()) {
                    // the log began anew within one fetch: a chunk's offsets only rise
                    if !flush(&mut open, events) {
                        return Ok(());
                    }
                    append(open.entry(partition).or_default(), &message);
                } else {
                    append(chunk, &message);
                }
                let full = open.get(&partition).is_some_and(|chunk| chunk.bytes() >= CHUNK_BYTES || chunk.len() >= batch);
                if (full || since.elapsed() >= CHUNK_WAIT) && !flush(&mut open, events) {
                    return Ok(());
                }
            }
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(format!("its consumer cannot go on ({code}); another host may use the same identity"));
            }
            Some(Err(error)) => consumer.context().error(error, "while polling"),
            None => {
                if !flush(&mut open, events) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Adds a message to its chunk; of one that the filters drop only the offset, and then says false.
fn append(chunk: &mut Chunk, message: &impl Message, filters: Option<&Filters>) -> bool {
    if filters.is_some_and(|filters| !filters.keep(message.payload())) {
        chunk.skip(message.offset());
        return false;
    }
    let time = message.timestamp().to_millis().unwrap_or(-1);
    chunk.push(message.offset(), time, |out| encode::record(message, out));
    true
}

/// Hands every open chunk on. False when nobody takes them any more.
fn flush(open: &mut BTreeMap<Partition, Chunk>, events: &Sender<Event>) -> bool {
    while let Some((partition, chunk)) = open.pop_first() {
        if events.blocking_send(Event::Records(partition, chunk)).is_err() {
            return false;
        }
    }
    true
}
