//! Moves of partitions that an operator requests: [`crate::kafka::moves`] says how one goes.

use rdkafka::consumer::CommitMode;
use rdkafka::error::KafkaResult;

use super::{Completion, Driver};
use crate::kafka::consumer::commit;
use crate::kafka::moves::{Move, MoveTarget};
use crate::kafka::poller::Order;
use crate::kafka::positions::PositionAction;
use event_sources::stream::{Offset, Partition, StreamAction, StreamInput};

impl Driver {
    /// Makes an operator's move, or says why not.
    pub(super) fn begin_move(&mut self, wanted: Move) {
        let Some(position) = self.machine.position(wanted.partition) else {
            return wanted
                .refuse("this host does not have the partition; move it at the host of the group that has it".to_owned());
        };
        if self.moving.contains_key(&wanted.partition) {
            return wanted.refuse("another move of the partition is under way".to_owned());
        }
        let offset = match wanted.target(position) {
            Ok(MoveTarget::GiveUp) => return self.skip(wanted),
            Ok(MoveTarget::Offset(offset)) => offset,
            Err(why) => return wanted.refuse(why),
        };
        self.orders.send(Order::Seek(wanted.partition, offset));
        self.moving.insert(wanted.partition, wanted);
    }

    /// Gives up the partition's oldest record.
    fn skip(&mut self, wanted: Move) {
        // the result of a delivery in progress is ignored
        self.deliveries.remove(&wanted.partition);
        self.progress.waits(wanted.partition, None);
        self.step(StreamInput::Skip(wanted.partition, wanted.offset));
        let became = match &self.destination {
            Some(destination) if self.deliveries.contains_key(&wanted.partition) => {
                format!("its failure record goes to {destination}")
            }
            Some(destination) => {
                format!("{destination} takes no failure records at present, so none is sent for it")
            }
            None => "it goes nowhere: the mapping has no destination".to_owned(),
        };
        wanted.done(became);
    }

    /// The polling thread has made a move, or could not.
    pub(super) fn sought(
        &mut self,
        partition: Partition,
        offset: Offset,
        result: Result<(), String>,
    ) {
        let wanted = self.moving.remove(&partition);
        if let Err(why) = result {
            if let Some(wanted) = wanted {
                wanted.refuse(format!("the consumer cannot read from there: {why}"));
            }
            return;
        }
        self.forget(&[partition]);
        let mut done = self.step_for_commit(StreamInput::Sought(partition, offset));
        done.extend(self.step_for_commit(StreamInput::Flush));
        self.progress.position(partition, offset);
        let consumer = self.consumer.clone();
        let topics = self.mapping.topics.clone();
        let Some(wanted) = wanted else {
            return self.obey(StreamAction::Commit(done));
        };
        self.tasks.spawn_blocking(move || {
            Completion::Move(wanted, commit(&consumer, &topics, &done, CommitMode::Sync))
        });
    }

    /// The new offset is committed, or is not yet.
    pub(super) fn moved(&mut self, wanted: Move, committed: KafkaResult<()>) {
        if let Err(error) = committed {
            self.step(StreamInput::CommitFailed(&[wanted.partition]));
            let note = format!(
                "it is read from there on, but the commit failed ({error}) and is made again"
            );
            return wanted.done(note);
        }
        let became = match wanted.action {
            PositionAction::Seek => "it is read from there on",
            PositionAction::Skip => "it never arrived, so it goes nowhere",
        };
        wanted.done(became.to_owned());
    }
}
