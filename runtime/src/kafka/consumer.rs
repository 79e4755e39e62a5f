//! What librdkafka calls back into: rebalances and errors become events for the driver.
//!
//! It calls back on the polling thread, inside `poll`. A callback may wait, within bounds: for the driver's word on what
//! is done, and for the broker's on a commit, because a partition that is being given up is committed before it goes.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Statistics, TopicPartitionList};
use tokio::sync::mpsc::Sender;

use super::buffer::Chunk;
use super::offsets;
use super::status::{LogEnd, Progress};
use crate::filter::Filters;
use crate::mapping::{Offset, Partition};
use crate::model::{KafkaMapping, StartingPosition};

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
    /// The partition is read from this offset on, or cannot be; records from before came before.
    Sought(Partition, Offset, Result<(), String>),
    CommitFailed(Vec<Partition>),
    /// Everything below this offset was polled; what did not come as a record (transaction markers, aborted records) needs nothing.
    Passed(Partition, Offset),
}

pub(super) type MappingConsumer = BaseConsumer<Context>;

/// What librdkafka calls back into.
pub(super) struct Context {
    pub(super) mapping: String,
    pub(super) topics: Vec<String>,
    start: StartingPosition,
    servers: String,
    pub(super) filters: Option<Filters>,
    events: Sender<Event>,
    pub(super) progress: Arc<Progress>,
    /// The consumer that this is the context of.
    own: OnceLock<Weak<MappingConsumer>>,
    changes: Mutex<Vec<Change>>,
    /// What librdkafka said of the last error.
    reason: Mutex<Option<String>>,
}

/// A partition that came, with the queue of what is fetched of it, or went.
pub(super) enum Change {
    Came(Partition, PartitionQueue<Context>),
    Went(Partition),
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
            own: OnceLock::new(),
            changes: Mutex::default(),
            reason: Mutex::default(),
        }
    }

    /// What librdkafka said of the error that the last poll returned.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Tells it whose context it is: before the first poll.
    pub(super) fn belongs_to(&self, consumer: &Arc<MappingConsumer>) {
        let _ = self.own.set(Arc::downgrade(consumer));
    }

    /// What came and went since this was last asked.
    pub(super) fn changes(&self) -> Vec<Change> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change(&self, change: Change) {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).push(change);
    }

    /// Gives each partition a queue of its own, before anything is fetched of it. A partition is then held back by not reading
    /// its queue. librdkafka's own pause would throw away what was fetched, and resuming would fetch it again.
    fn split(&self, partitions: &[Partition]) {
        let Some(consumer) = self.own.get().and_then(Weak::upgrade) else { return };
        for partition in partitions {
            let queue = consumer.split_partition_queue(&self.topics[partition.topic], partition.number);
            let Some(mut queue) = queue else { continue };
            let polling = std::thread::current();
            queue.set_nonempty_callback(move || polling.unpark());
            self.change(Change::Came(*partition, queue));
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
        let leaves = || self.events.is_closed();
        let settled = if leaves() { Ok(()) } else { offsets::settle(consumer, self.start, list, &leaves) };
        // Partitions that come while the host leaves go at once, and the broker is not asked about them: a consumer that closes was
        // seen to wait for its answer until the time was up, with the whole drain behind it. What is left is bounded by `LEAVING`.
        if leaves() {
            if let Err(error) = consumer.incremental_assign(list) {
                tracing::debug!(mapping = %self.mapping, %error, "partitions that came at the end are not taken over");
            }
            return;
        }
        if let Err(error) = settled {
            tracing::warn!(mapping = %self.mapping, %error, "cannot commit where the group starts; the broker's own offsets are used");
        }
        let partitions = self.partitions(list);
        // a cooperative rebalance may bring nothing; librdkafka still wants its answer
        if !partitions.is_empty() {
            self.split(&partitions);
            self.send(Event::Assigned(partitions));
        }
        if let Err(error) = consumer.incremental_assign(list) {
            tracing::error!(mapping = %self.mapping, %error, "cannot take partitions over");
        }
    }

    fn revoke(&self, consumer: &MappingConsumer, list: &TopicPartitionList) {
        let partitions = self.partitions(list);
        for partition in &partitions {
            self.change(Change::Went(*partition));
        }
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

    /// Every error that a poll returns comes by here first, on the same thread: here is its reason, there its partition.
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.broker_is(true);
        }
        tracing::debug!(mapping = %self.mapping, %error, reason, "Kafka reports an error");
        self.progress.noted(reason);
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
    }

    fn stats(&self, statistics: Statistics) {
        // the bootstrap entry and the coordinator are logical brokers; a real one has an id
        if statistics.brokers.values().any(|broker| broker.nodeid >= 0 && broker.state == "UP") {
            self.broker_is(false);
        }
        for topic in statistics.topics.values() {
            for state in topic.partitions.values() {
                if let Some(partition) = partition(&self.topics, &topic.topic, state.partition) {
                    self.progress.log(partition, LogEnd::reported(state.next_offset, state.hi_offset, state.ls_offset));
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
