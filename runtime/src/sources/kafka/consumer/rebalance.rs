//! Assigned and revoked partitions.
//!
//! A revocation waits until the driver has committed the records that are done, and until no earlier
//! commit is unanswered: librdkafka could send it after another member has committed more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use event_sources::kafka::LogAnomaly;
use event_sources::stream::{Offset, Partition};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer;

use super::{AssignmentChange, ConsumerEvent, MappingConsumer, MappingContext};
use crate::sources::kafka::start_offsets::{self, StartOffsets};

/// How long a revocation waits for commits. librdkafka gives up a commit before; the group waits
/// longer for this member (`max.poll.interval.ms`).
const REVOKE_TIMEOUT: Duration = Duration::from_secs(30);

impl MappingContext {
    pub(super) fn assign(&self, consumer: &MappingConsumer, list: &mut TopicPartitionList) {
        let mapping = &self.mapping.id;
        let settled = if self.stopping() {
            Ok(StartOffsets::default())
        } else {
            start_offsets::settle(self, consumer, list)
        };
        // Partitions that are assigned during a shutdown are not processed, and the brokers get no
        // request about them: a closing consumer was seen to wait for the response until the end of
        // the drain. `LEAVING` limits the rest.
        if self.stopping() {
            if let Err(error) = consumer.incremental_assign(list) {
                tracing::debug!(mapping, %error, "partitions assigned at the end are not taken");
            }
            return;
        }
        let settled = settled.unwrap_or_else(|error| {
            tracing::warn!(
                mapping,
                %error,
                "the start offsets cannot be determined; the group continues at its committed \
                 offsets, and the others are determined later"
            );
            StartOffsets::default()
        });
        self.report(&settled);
        let partitions = self.partitions(list);
        // a cooperative rebalance may assign nothing; librdkafka expects the call below all the
        // same
        if !partitions.is_empty() {
            self.split(&partitions, &settled.starts);
            self.send(ConsumerEvent::Assigned(partitions));
            for topic in settled.replaced {
                self.send(ConsumerEvent::Replaced(topic));
            }
        }
        if let Err(error) = consumer.incremental_assign(list) {
            tracing::error!(mapping, %error, "the consumer cannot take its partitions");
        }
    }

    /// Gives each partition a queue of its own before anything is fetched. The poller pauses a
    /// partition by not reading its queue: librdkafka's own pause discards fetched messages, and a
    /// resume fetches them again.
    fn split(&self, partitions: &[Partition], starts: &BTreeMap<Partition, Offset>) {
        let Some(consumer) = self.own.get().and_then(Weak::upgrade) else {
            return;
        };
        for partition in partitions {
            let topic = &self.mapping.topics[partition.topic];
            let queue = consumer.split_partition_queue(topic, partition.number);
            let Some(mut queue) = queue else { continue };
            let polling = std::thread::current();
            queue.set_nonempty_callback(move || polling.unpark());
            let start = starts.get(partition).copied();
            self.change(AssignmentChange::Added(*partition, queue, start));
        }
    }

    /// Raises an alarm for each anomaly of the assigned logs.
    fn report(&self, settled: &StartOffsets) {
        let mapping = &self.mapping.id;
        let mut replaced = BTreeSet::new();
        for (topic, partition, anomaly) in &settled.findings {
            self.known.rewritten().remove(&(topic.clone(), *partition));
            if !matches!(anomaly, LogAnomaly::Deleted { .. }) {
                self.known.reset_count(topic, *partition);
                self.progress.count(|status| status.logs_replaced += 1);
            }
            match *anomaly {
                LogAnomaly::Deleted { first, last } => {
                    self.deleted((topic, *partition), first, last);
                    tracing::error!(
                        alarm = "offsets_deleted_unread",
                        mapping,
                        topic,
                        partition,
                        first,
                        last,
                        "the offsets {first} to {last} of {topic}-{partition} were deleted before \
                         the group read them (retention, or DeleteRecords). The group continues \
                         at {}. Raise retention.ms of the topic, or the speed of the mapping",
                        last + 1
                    );
                }
                LogAnomaly::Replaced if replaced.insert(topic) => tracing::error!(
                    alarm = "topic_recreated",
                    mapping,
                    topic,
                    "the topic {topic} was deleted and created again. The mapping reads the new \
                     topic from its start, whatever StartingPosition is; unread records of the \
                     old one are lost"
                ),
                LogAnomaly::Replaced => {}
                LogAnomaly::Cut { committed, end } => tracing::error!(
                    alarm = "log_replaced",
                    mapping,
                    topic,
                    partition,
                    committed,
                    end,
                    "the log of {topic}-{partition} was truncated, or its topic was deleted and \
                     created again: the group had read it up to {committed}, and it ends at \
                     {end}. The mapping reads it from its start, which may repeat records"
                ),
            }
        }
        if let Some(why) = &settled.ids_not_stored {
            tracing::error!(
                alarm = "topic_ids_not_stored",
                mapping,
                "{why}. A topic that is deleted and created again while this host is stopped is \
                 not detected"
            );
        }
    }

    pub(super) fn revoke(&self, consumer: &MappingConsumer, list: &TopicPartitionList) {
        let mapping = &self.mapping.id;
        let partitions = self.partitions(list);
        for partition in &partitions {
            self.change(AssignmentChange::Removed(*partition));
        }
        if partitions.is_empty() {
            tracing::debug!(mapping, "a rebalance revoked nothing");
        } else if consumer.assignment_lost() {
            tracing::warn!(
                mapping,
                ?partitions,
                "partitions lost; another host may process the same records"
            );
            self.send(ConsumerEvent::Lost(partitions));
        } else {
            self.await_commits(partitions);
        }
        if let Err(error) = consumer.incremental_unassign(list) {
            tracing::error!(mapping, %error, "the consumer cannot release its partitions");
        }
    }

    fn await_commits(&self, partitions: Vec<Partition>) {
        let (ended, end) = mpsc::channel();
        if self.send(ConsumerEvent::Revoked(partitions, ended))
            && end.recv_timeout(REVOKE_TIMEOUT) == Err(RecvTimeoutError::Timeout)
        {
            tracing::warn!(
                mapping = self.mapping.id,
                "the commit of revoked partitions is not answered within {} s; their last records \
                 may be read again",
                REVOKE_TIMEOUT.as_secs()
            );
        }
    }
}
