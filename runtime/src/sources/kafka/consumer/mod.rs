//! The consumer of a mapping: callbacks of librdkafka become events for the driver.
//!
//! The callbacks run on the polling thread, inside `poll`. `rebalance` handles assigned and revoked
//! partitions.

mod rebalance;
mod statistics;

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread::Thread;

use event_sources::kafka::FetchPositions;
use event_sources::stream::{Offset, Partition};
use rdkafka::TopicPartitionList;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;
use sam_template::model::KafkaMapping;
use tokio::sync::mpsc::Sender;

use self::statistics::ConsumerStatistics;
use crate::lock::lock;
use crate::sources::kafka::buffer::Chunk;
use crate::sources::kafka::known_topics::KnownTopics;
use crate::sources::kafka::status::{LogEnd, MappingProgress};
use crate::sources::kafka::tokens::ClientTokens;

/// Events from the polling thread to the driver, in order.
#[derive(Debug)]
pub(super) enum ConsumerEvent {
    Records(Partition, Chunk),
    Assigned(Vec<Partition>),
    /// The polling thread revokes them after a message, or the end of the channel: what is done is
    /// committed then.
    Revoked(Vec<Partition>, mpsc::Sender<()>),
    /// Revoked without the chance to commit.
    Lost(Vec<Partition>),
    /// The result of a seek to this offset. Records from before the seek were sent before this
    /// event.
    Sought(Partition, Offset, KafkaResult<()>),
    /// The positions of these partitions are not in their logs, for this reason. Another consumer
    /// has to determine them once the records in memory are done.
    InvalidPositions(Vec<Partition>, String),
    /// The topic of this name was replaced while this consumer read it. Another consumer has to
    /// read it once the records in memory are done.
    Replaced(String),
    /// The first offset of the log, by partition.
    LogStarts(Vec<(Partition, Offset)>),
    /// The group assigns partitions to no member, for this reason. The mapping has to join under
    /// another member name.
    Unassigned(String),
}

pub(super) type MappingConsumer = BaseConsumer<MappingContext>;

/// Wakes the polling thread when the consumer's own queue receives something: a rebalance, an error,
/// the result of a commit, statistics. Called before the consumer is shared.
pub(super) fn wake_polling_thread(consumer: &mut MappingConsumer) {
    let polling = consumer.context().polling.clone();
    consumer.set_nonempty_callback(move || {
        if let Some(thread) = polling.get() {
            thread.unpark();
        }
    });
}

/// Receives the callbacks of librdkafka.
pub(super) struct MappingContext {
    pub(super) mapping: KafkaMapping,
    tokens: ClientTokens,
    events: Sender<ConsumerEvent>,
    pub(super) progress: Arc<MappingProgress>,
    pub(super) known: Arc<KnownTopics>,
    /// How far librdkafka has fetched each partition.
    pub(super) fetched: Mutex<FetchPositions>,
    /// The consumer with this context.
    own: OnceLock<Weak<MappingConsumer>>,
    changes: Mutex<Vec<AssignmentChange>>,
    /// librdkafka's text for the last error.
    reason: Mutex<Option<String>>,
    /// The thread that polls, once it runs.
    pub(super) polling: Arc<OnceLock<Thread>>,
    /// A poll handled an event that it does not return: a rebalance, the result of a commit,
    /// statistics, a line of librdkafka's log.
    handled: AtomicBool,
    /// Topics of which the consumer was assigned partitions.
    pub(super) assigned_topics: Mutex<BTreeSet<String>>,
}

/// A change of the assignment.
pub(super) enum AssignmentChange {
    /// With the queue of its fetched messages, and the first offset to read, if known.
    Added(Partition, PartitionQueue<MappingContext>, Option<Offset>),
    Removed(Partition),
}

impl MappingContext {
    pub(super) fn new(
        mapping: KafkaMapping,
        events: Sender<ConsumerEvent>,
        progress: Arc<MappingProgress>,
        known: Arc<KnownTopics>,
    ) -> Self {
        Self {
            tokens: ClientTokens::of(&mapping.security),
            mapping,
            events,
            progress,
            known,
            fetched: Mutex::default(),
            own: OnceLock::new(),
            changes: Mutex::default(),
            reason: Mutex::default(),
            polling: Arc::default(),
            handled: AtomicBool::new(false),
            assigned_topics: Mutex::default(),
        }
    }

    /// librdkafka's text for the error that the last poll returned.
    pub(super) fn reason(&self) -> Option<String> {
        lock(&self.reason).take()
    }

    /// Sets the consumer with this context. Called before the first poll.
    pub(super) fn belongs_to(&self, consumer: &Arc<MappingConsumer>) {
        let _ = self.own.set(Arc::downgrade(consumer));
    }

    /// Takes the changes since the last call.
    pub(super) fn changes(&self) -> Vec<AssignmentChange> {
        std::mem::take(&mut *lock(&self.changes))
    }

    /// Whether a poll handled an event since the last call. It handles one at a time.
    pub(super) fn has_handled(&self) -> bool {
        self.handled.swap(false, Ordering::Relaxed)
    }

    fn change(&self, change: AssignmentChange) {
        lock(&self.changes).push(change);
    }

    fn partitions(&self, list: &TopicPartitionList) -> Vec<Partition> {
        list.elements()
            .iter()
            .filter_map(|element| {
                partition(&self.mapping.topics, element.topic(), element.partition())
            })
            .collect()
    }

    /// The host is shutting down.
    pub(super) fn stopping(&self) -> bool {
        self.events.is_closed()
    }

    pub(super) fn send(&self, event: ConsumerEvent) -> bool {
        // the driver ends only during a shutdown, after the last commit
        self.events.blocking_send(event).is_ok()
    }

    /// Logs once that the brokers are unavailable, and once that they are available again.
    fn set_away(&self, away: bool) {
        if self.progress.away.swap(away, Ordering::Relaxed) == away {
            return;
        }
        let mapping = &self.mapping.id;
        let servers = &self.mapping.bootstrap_servers;
        if away {
            tracing::warn!(mapping, servers, "Kafka is away; the consumer reconnects");
        } else {
            tracing::info!(mapping, servers, "Kafka is back");
        }
    }

    /// Counts offsets that were deleted before they were read. Returns how many are new.
    pub(super) fn deleted(&self, partition: (&str, i32), first: Offset, last: Offset) -> u64 {
        let new = self.known.count_deleted(partition, first, last);
        self.progress
            .count(|status| status.records_deleted_unread += new);
        new
    }
}

impl ClientContext for MappingContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        self.handled.store(true, Ordering::Relaxed);
        tracing::debug!(mapping = %self.mapping.id, facility, "{message}");
    }

    /// Called before `poll` returns the same error, on the same thread. Only this call has the
    /// reason, only the returned error has the partition.
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.set_away(true);
        }
        tracing::debug!(mapping = %self.mapping.id, %error, reason, "Kafka reports an error");
        self.progress.note_error(reason);
        *lock(&self.reason) = Some(reason.to_owned());
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.handled.store(true, Ordering::Relaxed);
        self.tokens.next()
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.handled.store(true, Ordering::Relaxed);
        let statistics: ConsumerStatistics<'_> = match strict_json::from_slice(statistics) {
            Ok(statistics) => statistics,
            Err(error) => {
                return tracing::warn!(
                    mapping = %self.mapping.id,
                    %error,
                    "librdkafka's statistics cannot be read; the lag of the mapping is not updated"
                );
            }
        };
        if statistics.is_connected() {
            self.set_away(false);
        }
        let mut fetched = lock(&self.fetched);
        for (name, topic) in &statistics.topics {
            for state in topic.partitions.values() {
                let Some(partition) = partition(&self.mapping.topics, name, state.partition) else {
                    continue;
                };
                self.progress.set_log_end(
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

impl ConsumerContext for MappingContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        kind: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        self.handled.store(true, Ordering::Relaxed);
        match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => self.assign(consumer, list),
            _ => self.revoke(consumer, list),
        }
    }

    /// The thread that commits receives the result too.
    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {
        self.handled.store(true, Ordering::Relaxed);
    }
}

/// The machine's identifier of a partition. `None`: the mapping does not read the topic.
pub(super) fn partition(topics: &[String], topic: &str, number: i32) -> Option<Partition> {
    let topic = topics.iter().position(|name| name == topic)?;
    Some(Partition { topic, number })
}

/// Partitions and offsets for librdkafka.
fn list(topics: &[String], offsets: &[(Partition, Offset)]) -> KafkaResult<TopicPartitionList> {
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

/// Commits offsets and waits for the answer. librdkafka repeats a commit that is not answered, for
/// some seconds.
pub(super) fn commit(
    consumer: &MappingConsumer,
    topics: &[String],
    offsets: &[(Partition, Offset)],
) -> KafkaResult<()> {
    consumer.commit(&list(topics, offsets)?, CommitMode::Sync)
}

#[cfg(test)]
mod tests {
    use sam_template::model::KafkaKind;

    use super::*;
    use crate::sources::kafka::discards::tests::mapping;

    #[test]
    fn events_that_no_poll_returns_are_noted() {
        let mapping = mapping(KafkaKind::SelfManaged);
        let known = KnownTopics::open(None, &mapping.id, &mapping.group).unwrap();
        let progress = Arc::new(MappingProgress::new(&mapping));
        let (events, _received) = tokio::sync::mpsc::channel(1);
        let context = MappingContext::new(mapping, events, progress, Arc::new(known));
        assert!(!context.has_handled());
        context.log(RDKafkaLogLevel::Error, "FAIL", "connection refused");
        assert!(context.has_handled(), "a line of the log");
        context.stats_raw(br#"{"brokers":{},"topics":{}}"#);
        assert!(context.has_handled(), "statistics");
        assert!(!context.has_handled(), "each is noted once");
    }
}
