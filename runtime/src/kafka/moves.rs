//! Moves of a partition by an operator, from the request to the answer.
//!
//! A skip goes to the pure machine at once. A seek goes to the polling thread first: librdkafka drops what it has fetched, and the event
//! that says so follows every record from before in the channel to the driver. Then the machine starts at the new offset, and the answer
//! waits until that is committed.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Watch;
use super::consumer::partition;
use super::positions::{PositionAction, PositionChange, standings};
use event_sources::stream::{Offset, Partition, Position};

/// How long a move may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// What an operator asks the driver for, with what the brokers say of the partition.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) partition: Partition,
    pub(super) action: PositionAction,
    /// Next offset to read, or the record to pass.
    pub(super) offset: Offset,
    /// The group's committed offset; not below the log's start.
    pub(super) committed: Offset,
    /// Takes what became of it, or why nothing changed.
    pub(super) answer: oneshot::Sender<Result<String, String>>,
}

/// What a move comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MoveTarget {
    /// The record is held: it is given up.
    GiveUp,
    /// Reading goes on here.
    Offset(Offset),
}

impl Move {
    /// What is to be done with a partition at `position`. A record that never arrived, perhaps because it cannot be read, is passed by
    /// reading behind it.
    ///
    /// # Errors
    /// The record to pass is not the next one: says which one is.
    pub(super) fn target(&self, position: Position) -> Result<MoveTarget, String> {
        let record = self.offset;
        match (
            self.action,
            position.first_held,
            position.next.unwrap_or(self.committed).max(self.committed),
        ) {
            (PositionAction::Seek, ..) => Ok(MoveTarget::Offset(record)),
            (_, Some(first), _) if first == record => Ok(MoveTarget::GiveUp),
            (_, None, next) if next == record => Ok(MoveTarget::Offset(record + 1)),
            (_, held, next) => {
                let next = held.unwrap_or(next);
                Err(format!(
                    "the next record of the partition is {next}, not {record}. Skip that one, or seek"
                ))
            }
        }
    }

    /// Nothing changed, for this reason.
    pub(super) fn refuse(self, why: String) {
        // the operator may have gone away
        let _ = self.answer.send(Err(why));
    }

    /// This became of it.
    pub(super) fn done(self, became: String) {
        let _ = self.answer.send(Ok(became));
    }
}

impl Watch {
    /// Logical id of the mapping.
    pub(crate) fn id(&self) -> &str {
        &self.mapping.id
    }

    /// Moves the group in a partition of this host. Yields what became of it.
    ///
    /// # Errors
    /// Why nothing changed.
    pub(crate) async fn change_position(&self, change: &PositionChange) -> Result<String, String> {
        let place = partition(&self.mapping.topics, &change.topic, change.partition);
        let place = place.ok_or_else(|| {
            format!(
                "mapping {} does not read topic {}",
                self.mapping.id, change.topic
            )
        })?;
        let mapping = self.mapping.clone();
        let found = tokio::task::spawn_blocking(move || standings(&mapping)).await;
        let all = found.unwrap_or_else(|error| Err(error.to_string()))?;
        let standing = all
            .iter()
            .find(|one| one.topic == change.topic && one.partition == change.partition);
        let standing = standing.ok_or_else(|| {
            format!(
                "topic {} has no partition {}",
                change.topic, change.partition
            )
        })?;
        match change.action {
            PositionAction::Seek => standing.seek(change.offset)?,
            PositionAction::Skip => standing.skip(change.offset)?,
        };
        let (answer, became) = oneshot::channel();
        let committed = standing
            .committed
            .unwrap_or(standing.start)
            .max(standing.start);
        let wanted = Move {
            partition: place,
            action: change.action,
            offset: change.offset,
            committed,
            answer,
        };
        let gone = || {
            format!(
                "mapping {} is restarting or ending; look with usher offsets list and try again",
                self.mapping.id
            )
        };
        self.moves.send(wanted).await.map_err(|_| gone())?;
        let became = tokio::time::timeout(PATIENCE, became).await;
        let became = became.map_err(|_| {
            format!(
                "nothing happened within {} s; look with usher offsets list",
                PATIENCE.as_secs()
            )
        })?;
        became.map_err(|_| gone())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(
        action: PositionAction,
        offset: Offset,
        first_held: Option<Offset>,
        next: Option<Offset>,
    ) -> Result<MoveTarget, String> {
        let partition = Partition {
            topic: 0,
            number: 0,
        };
        let wanted = Move {
            partition,
            action,
            offset,
            committed: 5,
            answer: oneshot::channel().0,
        };
        wanted.target(Position { first_held, next })
    }

    #[test]
    fn only_the_next_record_may_be_skipped() {
        let skip =
            |offset, first_held, next| target(PositionAction::Skip, offset, first_held, next);
        assert_eq!(skip(7, Some(7), Some(5)), Ok(MoveTarget::GiveUp));
        assert!(
            skip(8, Some(7), Some(5))
                .unwrap_err()
                .contains("is 7, not 8")
        );
        assert_eq!(skip(9, None, Some(9)), Ok(MoveTarget::Offset(10)));
        assert_eq!(skip(5, None, None), Ok(MoveTarget::Offset(6)));
        assert!(skip(5, None, Some(9)).unwrap_err().contains("is 9, not 5"));
    }

    #[test]
    fn a_seek_goes_anywhere() {
        assert_eq!(
            target(PositionAction::Seek, 3, Some(7), Some(5)),
            Ok(MoveTarget::Offset(3))
        );
    }
}
