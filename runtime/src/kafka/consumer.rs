//! What librdkafka calls back into: rebalances and errors become events for the driver.
//!
//! It calls back on the polling thread, inside `poll`. A callback may wait, within bounds: for the driver's word on what
//! is done, and for the broker's on a commit, because a partition that is being given up is committed before it goes.

use std::collections::{BTreeMap, BTreeSet};
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
use super::offsets::{self, Rules, Settled};
use super::status::{LogEnd, Progress};
use super::topics::KnownTopics;
use crate::model::{KafkaMapping, StartingPosition};
use event_sources::filter::Filters;
use event_sources::kafka::FetchPositions;
use event_sources::kafka::LogAnomaly;
use event_sources::stream::{Offset, Partition};

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
    /// Another consumer has to settle again where these partitions are read, for this reason, once what is held of them is done.
    Astray(Vec<Partition>, String),
    /// The first offset of the log, by partition.
    LogStarts(Vec<(Partition, Offset)>),
    /// The group leaves partitions to no member, for this reason: this consumer has to join as another one.
    Unassigned(String),
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
    /// The topics that this host has read.
    pub(super) known: Arc<KnownTopics>,
    /// How far librdkafka has fetched.
    pub(super) fetched: Mutex<FetchPositions>,
    /// The consumer that this is the context of.
    own: OnceLock<Weak<MappingConsumer>>,
    changes: Mutex<Vec<Change>>,
    /// What librdkafka said of the last error.
    reason: Mutex<Option<String>>,
}

/// A partition that came, with the queue of what is fetched of it, or went.
pub(super) enum Change {
    /// And the first offset that is read, where it is known.
    Came(Partition, PartitionQueue<Context>, Option<Offset>),
    Went(Partition),
}

impl Context {
    pub(super) fn new(
        mapping: &KafkaMapping,
        events: Sender<Event>,
        progress: Arc<Progress>,
        known: Arc<KnownTopics>,
    ) -> Self {
        Self {
            mapping: mapping.id.clone(),
            topics: mapping.topics.clone(),
            start: mapping.start,
            servers: mapping.bootstrap_servers.clone(),
            filters: mapping.filters.clone(),
            events,
            progress,
            known,
            fetched: Mutex::default(),
            own: OnceLock::new(),
            changes: Mutex::default(),
            reason: Mutex::default(),
        }
    }

    /// What librdkafka said of the error that the last poll returned.
    pub(super) fn reason(&self) -> Option<String> {
        self.reason
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
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
        self.changes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(change);
    }

    /// Gives each partition a queue of its own, before anything is fetched of it. A partition is then held back by not reading
    /// its queue. librdkafka's own pause would throw away what was fetched, and resuming would fetch it again.
    fn split(&self, partitions: &[Partition], starts: &BTreeMap<Partition, Offset>) {
        let Some(consumer) = self.own.get().and_then(Weak::upgrade) else {
            return;
        };
        for partition in partitions {
            let queue =
                consumer.split_partition_queue(&self.topics[partition.topic], partition.number);
            let Some(mut queue) = queue else { continue };
            let polling = std::thread::current();
            queue.set_nonempty_callback(move || polling.unpark());
            self.change(Change::Came(
                *partition,
                queue,
                starts.get(partition).copied(),
            ));
        }
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        list.elements()
            .iter()
            .filter_map(|element| partition(&self.topics, element.topic(), element.partition()))
            .collect()
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
        let rewritten = self.known.rewritten().clone();
        let rules = Rules {
            start: self.start,
            known: &self.known,
            rewritten: &rewritten,
            leaves: &leaves,
        };
        let settled = if leaves() {
            Ok(Settled::default())
        } else {
            offsets::settle(consumer, &rules, list)
        };
        // Partitions that come while the host leaves go at once, and the broker is not asked about them: a consumer that closes was
        // seen to wait for its answer until the time was up, with the whole drain behind it. What is left is bounded by `LEAVING`.
        if leaves() {
            if let Err(error) = consumer.incremental_assign(list) {
                tracing::debug!(mapping = %self.mapping, %error, "partitions that came at the end are not taken over");
            }
            return;
        }
        let settled = settled.unwrap_or_else(|error| {
            tracing::warn!(mapping = %self.mapping, %error,
                "cannot settle where the group starts; it goes on at its committed offsets, and what has none is settled later");
            Settled::default()
        });
        self.report(&settled);
        let known = |(topic, number, first): &(String, i32, Offset)| {
            Some((partition(&self.topics, topic, *number)?, *first))
        };
        let starts: BTreeMap<Partition, Offset> = settled.starts.iter().filter_map(known).collect();
        let partitions = self.partitions(list);
        // a cooperative rebalance may bring nothing; librdkafka still wants its answer
        if !partitions.is_empty() {
            self.split(&partitions, &starts);
            self.send(Event::Assigned(partitions));
        }
        if let Err(error) = consumer.incremental_assign(list) {
            tracing::error!(mapping = %self.mapping, %error, "cannot take partitions over");
        }
    }

    /// Counts offsets that were deleted unread. How many of them were not counted before.
    pub(super) fn deleted(&self, place: (&str, i32), first: Offset, last: Offset) -> u64 {
        let new = self.known.count_deleted(place, first, last);
        self.progress
            .deleted_unread
            .fetch_add(new, Ordering::Relaxed);
        new
    }

    /// Reports what an assignment found.
    fn report(&self, settled: &Settled) {
        let mapping = &self.mapping;
        let mut replaced = BTreeSet::new();
        for (topic, partition, finding) in &settled.findings {
            self.known.rewritten().remove(&(topic.clone(), *partition));
            match *finding {
                LogAnomaly::Deleted { first, last } => {
                    self.deleted((topic, *partition), first, last);
                    tracing::error!(alarm = "offsets_deleted_unread", %mapping, topic, partition, first, last,
                        "the offsets {first} to {last} of {topic}-{partition} were deleted before the group read them (retention, or DeleteRecords). \
                         It goes on at {}. Raise retention.ms of the topic, or have the mapping keep up", last + 1);
                }
                LogAnomaly::Replaced => {
                    self.known.begin_count(topic, *partition);
                    self.progress.logs_replaced.fetch_add(1, Ordering::Relaxed);
                    if replaced.insert(topic) {
                        tracing::error!(alarm = "topic_recreated", %mapping, topic,
                            "the topic {topic} was deleted and created again: this one is another topic than the one that was read before. \
                             It is read from its start, whatever StartingPosition says; what the old one held unread is gone");
                    }
                }
                LogAnomaly::Cut { committed, end } => {
                    self.known.begin_count(topic, *partition);
                    self.progress.logs_replaced.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(alarm = "log_replaced", %mapping, topic, partition, committed, end,
                        "the log of {topic}-{partition} was cut, or its topic deleted and created again: the group had read it up to {committed}, \
                         and it ends at {end}. It is read from its start, so records may come again");
                }
            }
        }
        if let Some(why) = &settled.not_kept {
            tracing::error!(alarm = "topic_ids_not_stored", %mapping, "{why}. A topic that is deleted and created again while this host is down is not noticed");
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
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(mapping = %self.mapping, facility, "{message}");
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
        if statistics
            .brokers
            .values()
            .any(|broker| broker.nodeid >= 0 && broker.state == "UP")
        {
            self.broker_is(false);
        }
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        for topic in statistics.topics.values() {
            for state in topic.partitions.values() {
                let Some(partition) = partition(&self.topics, &topic.topic, state.partition) else {
                    continue;
                };
                self.progress.log(
                    partition,
                    LogEnd::reported(state.next_offset, state.hi_offset, state.ls_offset),
                );
                if state.next_offset >= 0 {
                    fetched.reported(partition, state.next_offset);
                }
            }
        }
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
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
pub(super) fn list(
    topics: &[String],
    offsets: &[(Partition, Offset)],
) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(offsets.len());
    for (partition, offset) in offsets {
        list.add_partition_offset(
            &topics[partition.topic],
            partition.number,
            rdkafka::Offset::Offset(*offset),
        )?;
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
