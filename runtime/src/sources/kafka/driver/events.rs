//! Handles the events of the polling thread.

use event_sources::stream::{Partition, StreamInput};

use super::KafkaDriver;
use crate::sources::kafka::buffer::{Accepted, Chunk};
use crate::sources::kafka::consumer::ConsumerEvent;
use crate::sources::kafka::poller::PollerCommand;

impl KafkaDriver {
    pub(super) fn handle_event(&mut self, event: ConsumerEvent) {
        match event {
            // frequent: the status follows at the next interval
            ConsumerEvent::Records(partition, chunk) => return self.accept(partition, chunk),
            ConsumerEvent::Assigned(partitions) => {
                tracing::info!(
                    mapping = self.source.mapping.id,
                    partitions = ?numbers(&partitions),
                    "partitions assigned"
                );
                self.forget(&partitions);
                for partition in &partitions {
                    // an earlier assignment may have paused it
                    self.commands.send(PollerCommand::Resume(*partition));
                }
                self.step(StreamInput::Assigned(&partitions));
            }
            ConsumerEvent::Revoked(partitions, ended) => {
                tracing::info!(
                    mapping = self.source.mapping.id,
                    partitions = ?numbers(&partitions),
                    "partitions revoked"
                );
                self.commit_revoked(&partitions, ended);
                self.forget(&partitions);
            }
            ConsumerEvent::Lost(partitions) => {
                self.step(StreamInput::Lost(&partitions));
                self.forget(&partitions);
            }
            ConsumerEvent::Sought(partition, offset, result) => {
                self.sought(partition, offset, result);
            }
            ConsumerEvent::InvalidPositions(partitions, why) => {
                self.mark_invalid(&partitions, &why);
            }
            ConsumerEvent::Replaced(topic) => self.leave_replaced(&topic),
            ConsumerEvent::LogStarts(starts) => self.look_for_deleted(&starts),
            ConsumerEvent::Unassigned(why) => self.unassigned = Some(why),
        }
        self.progress.update(self.machine.overview());
    }

    fn accept(&mut self, partition: Partition, chunk: Chunk) {
        let skipped = chunk.skipped();
        match self.buffer.accept(partition, chunk) {
            Accepted::Records(records) => self.step(StreamInput::Records(partition, &records)),
            Accepted::Reset(records) => {
                tracing::error!(
                    alarm = "log_replaced",
                    mapping = self.source.mapping.id,
                    topic = self.source.mapping.topics[partition.topic],
                    partition = partition.number,
                    "the log was truncated or recreated; the mapping reads on from there and \
                     processes again what was not done"
                );
                self.deliveries.remove(&partition);
                self.history.forget(&[partition]);
                self.step(StreamInput::Reset(partition));
                self.step(StreamInput::Records(partition, &records));
            }
        }
        if let Some(through) = skipped {
            self.step(StreamInput::Skipped(partition, through));
        }
    }

    /// Drops the state of partitions that were revoked or newly assigned.
    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.buffer.forget(partitions);
        self.history.forget(partitions);
        for partition in partitions {
            self.deliveries.remove(partition);
            self.moving.remove(partition);
            self.invalid.remove(partition);
            self.log_starts.remove(partition);
            self.progress.set_destination_problem(*partition, None);
        }
    }
}

fn numbers(partitions: &[Partition]) -> Vec<i32> {
    partitions
        .iter()
        .map(|partition| partition.number)
        .collect()
}
