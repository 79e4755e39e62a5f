//! Executes the actions of the machine.

use std::sync::atomic::Ordering;

use event_sources::InvocationId;
use event_sources::stream::{DiscardReason, Offset, Partition, Slice, StreamAction, StreamInput};
use rdkafka::consumer::CommitMode;

use super::{Completion, KafkaDriver};
use crate::invocation::Request;
use crate::kafka::consumer::commit;
use crate::kafka::poller::PollerCommand;

impl KafkaDriver {
    pub(super) fn step(&mut self, input: StreamInput<'_>) {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        for action in actions {
            self.execute(action);
        }
    }

    /// A step whose commits are returned: the caller commits them synchronously.
    pub(super) fn step_for_commit(&mut self, input: StreamInput<'_>) -> Vec<(Partition, Offset)> {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        let mut commits = Vec::new();
        for action in actions {
            match action {
                StreamAction::Commit(offsets) => commits.extend(offsets),
                other => self.execute(other),
            }
        }
        commits
    }

    pub(super) fn execute(&mut self, action: StreamAction) {
        match action {
            StreamAction::Invoke(id, slices) => self.invoke(id, slices),
            // librdkafka would send the commit after the outage, when the membership may have ended
            StreamAction::Commit(offsets) if self.progress.away.load(Ordering::Relaxed) => {
                let partitions: Vec<Partition> =
                    offsets.iter().map(|(partition, _)| *partition).collect();
                self.step(StreamInput::CommitFailed(&partitions));
            }
            StreamAction::Commit(offsets) => {
                if let Err(error) = commit(
                    &self.consumer,
                    &self.mapping.topics,
                    &offsets,
                    CommitMode::Async,
                ) {
                    tracing::debug!(
                        mapping = self.mapping.id,
                        %error,
                        "a commit could not be sent and is repeated"
                    );
                    let partitions: Vec<Partition> =
                        offsets.iter().map(|(partition, _)| *partition).collect();
                    // marks them as uncommitted; the next commit follows after the interval
                    self.step(StreamInput::CommitFailed(&partitions));
                }
            }
            StreamAction::Release(partition, through) => {
                let (records, memory) = self.buffer.release(partition, through);
                for bytes in memory {
                    self.commands.send(PollerCommand::Reuse(bytes));
                }
                self.progress
                    .done
                    .fetch_add(records as u64, Ordering::Relaxed);
                self.progress.set_position(partition, through + 1);
            }
            StreamAction::Pause(partition) => self.commands.send(PollerCommand::Pause(partition)),
            // its position is invalid: the next consumer continues it
            StreamAction::Resume(partition) if self.invalid.contains_key(&partition) => {}
            StreamAction::Resume(partition) => self.commands.send(PollerCommand::Resume(partition)),
            StreamAction::Discard(slice, reason) => {
                self.progress
                    .discarded
                    .fetch_add(slice.records as u64, Ordering::Relaxed);
                if reason == DiscardReason::TooLarge {
                    self.progress
                        .lost
                        .fetch_add(slice.records as u64, Ordering::Relaxed);
                }
                tracing::error!(
                    alarm = "records_discarded",
                    mapping = self.mapping.id,
                    topic = self.mapping.topics[slice.partition.topic],
                    partition = slice.partition.number,
                    first = slice.first,
                    last = slice.last,
                    records = slice.records,
                    ?reason,
                    "the mapping discards records"
                );
            }
            StreamAction::SendToDestination(slice, reason) => self.deliver(&slice, reason),
            StreamAction::RejectedResponse(text) => {
                tracing::error!(
                    alarm = "partial_response_rejected",
                    mapping = self.mapping.id,
                    "{text}"
                );
            }
        }
    }

    fn invoke(&mut self, id: InvocationId, slices: Vec<Slice>) {
        let payload = self
            .buffer
            .event(&self.envelope, &self.mapping.topics, &slices);
        let request = Request {
            records: slices.iter().map(|slice| slice.records).sum(),
            ..Request::new(self.mapping.function.clone(), payload)
        };
        self.batches.insert(id, slices);
        self.progress.batches.fetch_add(1, Ordering::Relaxed);
        let invoker = self.invoker.clone();
        self.tasks
            .spawn(async move { Completion::Invocation(id, invoker.invoke(request, true).await) });
    }
}
