//! Discards records: for which reason, and how they wait for delivery to the destination.

use super::machine::StreamMachine;
use super::partition::PendingDiscard;
use super::result::wait_after;
use super::{DiscardReason, Partition, StreamAction};
use crate::Millis;

impl StreamMachine {
    /// Discards records at the front of these partitions that are too old, or too large for an
    /// event.
    pub(super) fn discard_unfit(&mut self, now: Millis, candidates: &[Partition]) {
        let max_age = self.max_age();
        let room = self
            .settings
            .max_payload
            .saturating_sub(self.settings.envelope + self.settings.partition_overhead)
            .max(1);
        for partition in candidates {
            while let Some(state) = self
                .partitions
                .get(partition)
                .filter(|state| state.held.is_none())
            {
                let expired = state.expired(now, max_age);
                if expired > 0 {
                    self.discard(now, *partition, expired, DiscardReason::TooOld);
                } else if state.first_size() >= room {
                    self.discard(now, *partition, 1, DiscardReason::TooLarge);
                } else {
                    break;
                }
            }
        }
    }

    /// Discards the partition's first `records`: to the destination, if there is one.
    pub(super) fn discard(
        &mut self,
        now: Millis,
        partition: Partition,
        records: usize,
        reason: DiscardReason,
    ) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(slice) = state.front(partition, records) else {
            return;
        };
        if self.settings.has_destination {
            state.held = Some(PendingDiscard {
                records,
                reason,
                sent: false,
                attempts: 0,
            });
            state.not_before = now;
            self.send_pending(now);
        } else {
            self.actions.push(StreamAction::Discard(slice, reason));
            self.finish(partition, records);
        }
    }

    pub(super) fn send_pending(&mut self, now: Millis) {
        for (partition, state) in &mut self.partitions {
            if state.not_before > now {
                continue;
            }
            if let Some(held) = state.held.filter(|held| !held.sent)
                && let Some(slice) = state.front(*partition, held.records)
            {
                state.held = Some(PendingDiscard { sent: true, ..held });
                self.actions
                    .push(StreamAction::SendToDestination(slice, held.reason));
            }
        }
    }

    pub(super) fn delivered(&mut self, now: Millis, partition: Partition, taken: bool) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(held) = state.held else { return };
        if taken {
            state.held = None;
            self.finish(partition, held.records);
        } else {
            let attempts = held.attempts.saturating_add(1);
            state.held = Some(PendingDiscard {
                sent: false,
                attempts,
                ..held
            });
            state.not_before = now + wait_after(&self.settings, attempts);
        }
    }
}
