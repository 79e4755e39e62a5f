//! Executes the actions of the machine.

use event_sources::InvocationId;
use event_sources::stream::{DiscardReason, Offset, Partition, Slice, StreamAction, StreamInput};

use super::{Completion, KafkaDriver};
use crate::invocation::Request;
use crate::sources::kafka::poller::PollerCommand;

impl KafkaDriver {
    pub(super) fn step(&mut self, input: StreamInput<'_>) {
        for action in self.actions(input) {
            self.execute(action);
        }
    }

    fn actions(&mut self, input: StreamInput<'_>) -> Vec<StreamAction> {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        actions
    }

    /// A step whose commits are returned: the caller commits them at once.
    pub(super) fn step_for_commit(&mut self, input: StreamInput<'_>) -> Vec<(Partition, Offset)> {
        let mut commits = Vec::new();
        for action in self.actions(input) {
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
            StreamAction::Commit(offsets) => self.commit_progress(offsets),
            StreamAction::Release(partition, through) => {
                let (records, memory) = self.buffer.release(partition, through);
                for bytes in memory {
                    self.commands.send(PollerCommand::Reuse(bytes));
                }
                self.progress
                    .count(|status| status.records_done += records as u64);
                self.progress.set_position(partition, through + 1);
            }
            StreamAction::Pause(partition) => self.commands.send(PollerCommand::Pause(partition)),
            // its position is invalid: the next consumer continues it
            StreamAction::Resume(partition) if self.invalid.contains_key(&partition) => {}
            StreamAction::Resume(partition) => self.commands.send(PollerCommand::Resume(partition)),
            StreamAction::Discard(slice, reason) => {
                self.progress
                    .count(|status| status.records_discarded += slice.records as u64);
                if reason == DiscardReason::TooLarge {
                    self.progress
                        .count(|status| status.records_lost += slice.records as u64);
                }
                tracing::error!(
                    alarm = "records_discarded",
                    mapping = self.source.mapping.id,
                    topic = self.source.mapping.topics[slice.partition.topic],
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
                    mapping = self.source.mapping.id,
                    "{text}"
                );
            }
        }
    }

    fn invoke(&mut self, id: InvocationId, slices: Vec<Slice>) {
        let payload = self
            .buffer
            .event(&self.envelope, &self.source.mapping.topics, &slices);
        let request = Request {
            records: slices.iter().map(|slice| slice.records).sum(),
            ..Request::new(self.source.mapping.function.clone(), payload)
        };
        self.batches.insert(id, slices);
        self.progress.count(|status| status.batches += 1);
        let invoker = self.source.invoker.clone();
        self.tasks
            .run(async move { Completion::Invocation(id, invoker.invoke(request, true).await) });
    }
}
