//! What an operator does to a partition: reads it from elsewhere, or passes over one record.
//!
//! Either makes results of slices in flight void, as a rebalance does; no second slice starts before those have ended.

use super::machine::StreamMachine;
use super::{DiscardReason, Offset, Partition, StreamAction};
use crate::Millis;

/// Where a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The oldest record that is held.
    pub first_held: Option<Offset>,
    /// Next offset to be done; `None` before anything was done since the partition was assigned.
    pub next: Option<Offset>,
}

impl StreamMachine {
    /// Where a partition is; `None`: it is not this host's.
    pub fn position(&self, partition: Partition) -> Option<Position> {
        let state = self.partitions.get(&partition)?;
        Some(Position {
            first_held: state.first(),
            next: state.next(),
        })
    }

    /// The partition is read from `next` on: what is held of it is void, and `next` is to be committed.
    pub(super) fn sought(
        &mut self,
        partition: Partition,
        next: Offset,
        out: &mut Vec<StreamAction>,
    ) {
        let Some(state) = self.partitions.get(&partition) else {
            return;
        };
        if state.paused {
            out.push(StreamAction::Resume(partition));
        }
        self.assigned(&[partition]);
        if let Some(state) = self.partitions.get_mut(&partition) {
            state.start_at(next);
        }
    }

    /// Gives up the partition's oldest record, if it is this one: to the destination, unless it waits there already.
    pub(super) fn skip_record(
        &mut self,
        now: Millis,
        partition: Partition,
        offset: Offset,
        out: &mut Vec<StreamAction>,
    ) {
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
            return self.give_up(now, partition, 1, DiscardReason::Skipped, out);
        }
        // the destination takes nothing: the operator passes the record all the same
        out.extend(
            state
                .front(partition, 1)
                .map(|slice| StreamAction::Discard(slice, DiscardReason::Skipped)),
        );
        self.over(partition, 1, out);
    }
}
