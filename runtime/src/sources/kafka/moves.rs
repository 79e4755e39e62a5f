//! An operator's moves of a partition in a running mapping, from the request to the response.
//!
//! A skip goes to the machine directly. A seek goes to the polling thread first: librdkafka
//! discards what it has fetched, and the event of the seek follows all earlier records in the
//! channel to the driver. Then the machine starts at the new offset. The response is sent after the
//! commit.

use std::time::Duration;

use event_sources::stream::{Offset, Partition, Position};
use tokio::sync::oneshot;

use super::KafkaEventSource;
use super::consumer::partition;
use super::positions::group_positions;
use crate::sources::position::{PositionAction, PositionChange};

/// Time limit of a move.
const TIMEOUT: Duration = Duration::from_secs(6);

/// A request to the driver, with the offsets that the brokers have.
#[derive(Debug)]
pub(super) struct PositionMove {
    pub(super) partition: Partition,
    pub(super) action: PositionAction,
    /// Next offset to read, or the record to skip.
    pub(super) offset: Offset,
    /// The committed offset, at least the first offset of the log.
    pub(super) committed: Offset,
    /// Receives the effect, or why nothing changed.
    pub(super) answer: oneshot::Sender<Result<String, String>>,
}

/// The effect of a move.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MoveTarget {
    /// The record is in memory: it is discarded.
    Discard,
    /// The partition is read from this offset.
    Offset(Offset),
}

impl PositionMove {
    /// The effect on a partition at `position`. A record that never arrived, for example because it
    /// cannot be read, is skipped by reading from the next offset.
    ///
    /// # Errors
    /// The record to skip is not the next one.
    pub(super) fn target(&self, position: Position) -> Result<MoveTarget, String> {
        let record = self.offset;
        match (
            self.action,
            position.first_held,
            position.next.unwrap_or(self.committed).max(self.committed),
        ) {
            (PositionAction::Seek, ..) => Ok(MoveTarget::Offset(record)),
            (_, Some(first), _) if first == record => Ok(MoveTarget::Discard),
            (_, None, next) if next == record => Ok(MoveTarget::Offset(record + 1)),
            (_, held, next) => {
                let next = held.unwrap_or(next);
                Err(format!(
                    "the next record of the partition is {next}, not {record}. Skip that one, or \
                     seek"
                ))
            }
        }
    }

    /// Responds with the effect, or why nothing changed.
    pub(super) fn respond(self, effect: Result<String, String>) {
        // the request may have timed out
        let _ = self.answer.send(effect);
    }
}

impl KafkaEventSource {
    /// Moves the group in a partition of this host. Returns the effect as text.
    ///
    /// # Errors
    /// The move was refused, or the mapping does not respond.
    pub(super) async fn move_group(&self, change: &PositionChange) -> Result<String, String> {
        let mapping = self.mapping();
        let target_partition = partition(&mapping.topics, &change.topic, change.partition);
        let target_partition = target_partition.ok_or_else(|| {
            format!(
                "mapping {} does not read topic {}",
                mapping.id, change.topic
            )
        })?;
        let own = mapping.clone();
        let found = tokio::task::spawn_blocking(move || group_positions(&own)).await;
        let all = found.unwrap_or_else(|error| Err(error.to_string()))?;
        let position = all
            .iter()
            .find(|one| one.topic == change.topic && one.partition == change.partition);
        let position = position.ok_or_else(|| {
            format!(
                "topic {} has no partition {}",
                change.topic, change.partition
            )
        })?;
        match change.action {
            PositionAction::Seek => position.seek(change.offset)?,
            PositionAction::Skip => position.skip(change.offset)?,
        };
        let (answer, effect) = oneshot::channel();
        let committed = position
            .committed
            .unwrap_or(position.start)
            .max(position.start);
        let request = PositionMove {
            partition: target_partition,
            action: change.action,
            offset: change.offset,
            committed,
            answer,
        };
        let gone = || {
            format!(
                "mapping {} is restarting or ending; check with usher offsets list and try again",
                mapping.id
            )
        };
        self.moves.send(request).await.map_err(|_| gone())?;
        let effect = tokio::time::timeout(TIMEOUT, effect).await;
        let effect = effect.map_err(|_| {
            format!(
                "no response within {} s; check with usher offsets list",
                TIMEOUT.as_secs()
            )
        })?;
        effect.map_err(|_| gone())?
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
        let request = PositionMove {
            partition,
            action,
            offset,
            committed: 5,
            answer: oneshot::channel().0,
        };
        request.target(Position { first_held, next })
    }

    #[test]
    fn only_the_next_record_may_be_skipped() {
        let skip =
            |offset, first_held, next| target(PositionAction::Skip, offset, first_held, next);
        assert_eq!(skip(7, Some(7), Some(5)), Ok(MoveTarget::Discard));
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
    fn a_seek_may_target_any_offset() {
        assert_eq!(
            target(PositionAction::Seek, 3, Some(7), Some(5)),
            Ok(MoveTarget::Offset(3))
        );
    }
}
