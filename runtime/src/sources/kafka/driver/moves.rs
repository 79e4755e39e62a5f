//! Executes the moves that an operator requests ([`crate::sources::kafka::moves`]).

use event_sources::stream::{Offset, Partition, StreamAction, StreamInput};
use rdkafka::error::KafkaResult;

use super::KafkaDriver;
use crate::sources::kafka::moves::{MoveError, MoveTarget, PositionMove};
use crate::sources::kafka::poller::PollerCommand;
use crate::sources::position::PositionAction;

impl KafkaDriver {
    /// Starts a move, or refuses it.
    pub(super) fn begin_move(&mut self, requested: PositionMove) {
        let Some(position) = self.machine.position(requested.partition) else {
            return requested.respond(Err(MoveError::NotAssigned));
        };
        if self.moving.contains_key(&requested.partition) {
            return requested.respond(Err(MoveError::InProgress));
        }
        let offset = match requested.target(position) {
            Ok(MoveTarget::Discard) => return self.skip(requested),
            Ok(MoveTarget::Offset(offset)) => offset,
            Err(why) => return requested.respond(Err(why)),
        };
        self.commands
            .send(PollerCommand::Seek(requested.partition, offset));
        self.moving.insert(requested.partition, requested);
    }

    /// Discards the partition's oldest record.
    fn skip(&mut self, requested: PositionMove) {
        // the result of a delivery in progress is ignored
        self.deliveries.remove(&requested.partition);
        self.progress
            .set_destination_problem(requested.partition, None);
        self.step(StreamInput::Skip(requested.partition, requested.offset));
        let effect = match &self.source.destination {
            Some(destination) if self.deliveries.contains_key(&requested.partition) => {
                format!("its failure record goes to {destination}")
            }
            Some(destination) => {
                format!("{destination} takes no failure records at present, so none is sent for it")
            }
            None => "it goes nowhere: the mapping has no destination".to_owned(),
        };
        requested.respond(Ok(effect));
    }

    /// Handles the result of a seek of the polling thread.
    pub(super) fn sought(&mut self, partition: Partition, offset: Offset, result: KafkaResult<()>) {
        let requested = self.moving.remove(&partition);
        if let Err(why) = result {
            if let Some(requested) = requested {
                requested.respond(Err(MoveError::Seek(why)));
            }
            return;
        }
        self.forget(&[partition]);
        let mut done = self.step_for_commit(StreamInput::Sought(partition, offset));
        done.extend(self.step_for_commit(StreamInput::Flush));
        self.progress.set_position(partition, offset);
        match requested {
            Some(requested) => self.commit_move(done, requested),
            None => self.execute(StreamAction::Commit(done)),
        }
    }

    /// Handles the result of the commit.
    pub(super) fn moved(&mut self, requested: PositionMove, committed: KafkaResult<()>) {
        if let Err(error) = committed {
            self.step(StreamInput::CommitFailed(&[requested.partition]));
            let note = format!(
                "it is read from there on, but the commit failed ({error}) and is repeated"
            );
            return requested.respond(Ok(note));
        }
        let effect = match requested.action {
            PositionAction::Seek => "it is read from there on",
            PositionAction::Skip => "it never arrived, so it goes nowhere",
        };
        requested.respond(Ok(effect.to_owned()));
    }
}
