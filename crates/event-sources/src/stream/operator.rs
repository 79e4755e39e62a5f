//! An operator moves a partition to another offset, or skips one record.
//!
//! Both void the results of slices in flight, as a rebalance does. No second slice starts before
//! those have ended.

use super::machine::StreamMachine;
use super::{DiscardReason, Offset, Partition, StreamAction};
use crate::Millis;

/// Progress of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Offset of the oldest record held.
    pub first_held: Option<Offset>,
    /// Next offset to be done; `None` before the first progress since the assignment.
    pub next: Option<Offset>,
}

impl StreamMachine {
    /// `None`: the partition is not assigned to this host.
    pub fn position(&self, partition: Partition) -> Option<Position> {
        let state = self.partitions.get(&partition)?;
        Some(Position {
            first_held: state.first(),
            next: state.done,
        })
    }

    /// Moves the partition to `next`: its held records are void, and `next` is committed.
    pub(super) fn sought(&mut self, partition: Partition, next: Offset) {
        if let Some(state) = self.restarted(partition) {
            state.done = Some(next);
        }
    }

    /// Discards the partition's oldest record, if it has this offset: to the destination, unless
    /// its delivery is pending already.
    pub(super) fn skip_record(&mut self, now: Millis, partition: Partition, offset: Offset) {
        let epoch = self.next_epoch();
        let Some(state) = self
            .partitions
            .get_mut(&partition)
            .filter(|state| state.first() == Some(offset))
        else {
            return;
        };
        state.epoch = epoch;
        state.not_before = now;
        if state.held.take().is_none() {
            return self.discard(now, partition, 1, DiscardReason::Skipped);
        }
        // a pending delivery is abandoned: the destination does not accept the record
        self.actions.extend(
            state
                .front(partition, 1)
                .map(|slice| StreamAction::Discard(slice, DiscardReason::Skipped)),
        );
        self.finish(partition, 1);
    }
}
