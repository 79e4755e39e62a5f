//! Partitions whose position is not in their log, and a consumer that the group gave nothing. Either ends the run: the next consumer settles
//! where it reads, or joins as another member.
//!
//! What is held of such a partition is done first. Its topic may have these records no more, so no consumer would get them again.

use std::sync::PoisonError;

use rdkafka::consumer::Consumer as _;

use super::Driver;
use crate::kafka::broken::Broken;
use crate::kafka::poller::Order;
use event_sources::stream::{Offset, Partition};

impl Driver {
    /// These partitions have to be settled again.
    pub(super) fn goes_astray(&mut self, partitions: &[Partition], why: &str) {
        for partition in partitions
            .iter()
            .filter(|partition| self.machine.position(**partition).is_some())
        {
            self.orders.send(Order::Hold(*partition));
            self.astray.insert(*partition, why.to_owned());
        }
    }

    /// Names records that are deleted while their partition is not read, because what is held of it is not done: the consumer fetches
    /// nothing then, and would find out when it goes on.
    ///
    /// What the look before this one missed counts: what was on its way when records were deleted is reported as fetched by now.
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
            let fetched = context
                .fetched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .through(*partition);
            let Some(next) = fetched.filter(|next| *next < start) else {
                continue;
            };
            let topic = &self.mapping.topics[partition.topic];
            let number = partition.number;
            let last = start - 1;
            if context.deleted((topic, number), next, last) > 0 {
                tracing::error!(alarm = "offsets_deleted_unread", mapping = %self.mapping.id, topic, partition = number, first = next, last,
                    "the offsets {next} to {last} of {topic}-{number} were deleted before they were read, and more will be: the partition is \
                     held back by its function or by an operator. Raise retention.ms of the topic until it goes on");
            }
        }
    }

    /// Why this consumer ends now, if it does: a partition that has to be settled again has nothing held any more, or the group gave this
    /// consumer nothing.
    pub(super) fn may_end_astray(&mut self) -> Option<Broken> {
        if let Some(why) = self.unassigned.take() {
            return Some(Broken::Unassigned(why));
        }
        let waits = |astray: &Partition| {
            self.machine.overview().any(|holding| {
                holding.partition == *astray && (holding.held > 0 || holding.in_flight)
            })
        };
        let (_, why) = self
            .astray
            .iter()
            .find(|(partition, _)| !waits(partition))?;
        Some(Broken::Astray(why.clone()))
    }
}
