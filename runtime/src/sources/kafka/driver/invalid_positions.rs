//! Partitions whose position is not in their log, and a group that assigns nothing to this
//! consumer. Either ends the run: the next consumer determines the positions, or joins under
//! another name.
//!
//! The records of such a partition in memory are processed first. The topic may have deleted them,
//! so no other consumer could read them.

use event_sources::stream::{Offset, Partition};
use rdkafka::consumer::Consumer as _;

use super::KafkaDriver;
use crate::lock::lock;
use crate::sources::kafka::consumer_failure::{ConsumerFailure, replaced_topic};
use crate::sources::kafka::poller::PollerCommand;

impl KafkaDriver {
    /// Pauses partitions whose position has to be determined again.
    pub(super) fn mark_invalid(&mut self, partitions: &[Partition], why: &str) {
        for partition in partitions
            .iter()
            .filter(|partition| self.machine.position(**partition).is_some())
        {
            self.commands.send(PollerCommand::Pause(*partition));
            self.invalid.insert(*partition, why.to_owned());
        }
    }

    /// Ends this run because the topic was replaced while its consumer read it.
    pub(super) fn leave_replaced(&mut self, topic: &str) {
        let topics = &self.source.mapping.topics;
        let is_of_it = |partition: &Partition| topics[partition.topic] == topic;
        let holdings = self.machine.overview().map(|holding| holding.partition);
        let partitions: Vec<Partition> = holdings.filter(is_of_it).collect();
        self.mark_invalid(&partitions, &replaced_topic(topic));
    }

    /// Reports records that are deleted while their partition is paused: the consumer fetches
    /// nothing then, and would detect it only when it continues.
    ///
    /// Compares with the log start of the previous check: records that librdkafka had fetched
    /// before the deletion are reported as fetched by now.
    pub(super) fn look_for_deleted(&mut self, starts: &[(Partition, Offset)]) {
        let context = self.consumer.context();
        for (partition, start) in starts {
            if self.machine.position(*partition).is_none() {
                continue;
            }
            let Some(before) = self.log_starts.insert(*partition, *start) else {
                continue;
            };
            let start = before.min(*start);
            let fetched = lock(&context.fetched).through(*partition);
            let Some(next) = fetched.filter(|next| *next < start) else {
                continue;
            };
            let topic = &self.source.mapping.topics[partition.topic];
            let number = partition.number;
            let last = start - 1;
            if context.deleted((topic, number), next, last) > 0 {
                tracing::error!(
                    alarm = "offsets_deleted_unread",
                    mapping = self.source.mapping.id,
                    topic,
                    partition = number,
                    first = next,
                    last,
                    "the offsets {next} to {last} of {topic}-{number} were deleted before they \
                     were read, and more will be: the partition is paused by its function or an \
                     operator. Raise retention.ms of the topic until it continues"
                );
            }
        }
    }

    /// Why this run has to end now: an invalid partition has no records left in memory, or the
    /// group assigns nothing to this consumer.
    pub(super) fn run_failure(&mut self) -> Option<ConsumerFailure> {
        if let Some(why) = self.unassigned.take() {
            return Some(ConsumerFailure::Unassigned(why));
        }
        let busy = |partition: &Partition| {
            self.machine.overview().any(|holding| {
                holding.partition == *partition && (holding.held > 0 || holding.in_flight)
            })
        };
        let (_, why) = self
            .invalid
            .iter()
            .find(|(partition, _)| !busy(partition))?;
        Some(ConsumerFailure::InvalidPosition(why.clone()))
    }
}
