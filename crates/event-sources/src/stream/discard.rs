//! Records that the mapping gives up: why, and how they wait until the destination has taken them.

use super::machine::{StreamMachine, backoff};
use super::partition::PendingDiscard;
use super::{DiscardReason, Partition, StreamAction};
use crate::Millis;

impl StreamMachine {
    /// Gives up what is too old at the front of these partitions, and a single record that no event can carry.
    pub(super) fn give_up_what_may_not_travel(
        &mut self,
        now: Millis,
        candidates: &[Partition],
        out: &mut Vec<StreamAction>,
    ) {
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
                    self.give_up(now, *partition, expired, DiscardReason::TooOld, out);
                } else if state.first_size() >= room {
                    self.give_up(now, *partition, 1, DiscardReason::TooLarge, out);
                } else {
                    break;
                }
            }
        }
    }

    /// The partition's first `records` are given up: to the destination if there is one.
    pub(super) fn give_up(
        &mut self,
        now: Millis,
        partition: Partition,
        records: usize,
        reason: DiscardReason,
        out: &mut Vec<StreamAction>,
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
            self.send_held(now, out);
        } else {
            out.push(StreamAction::Discard(slice, reason));
            self.over(partition, records, out);
        }
    }

    pub(super) fn send_held(&mut self, now: Millis, out: &mut Vec<StreamAction>) {
        for (partition, state) in &mut self.partitions {
            if state.not_before > now {
                continue;
            }
            if let Some(held) = state.held.filter(|held| !held.sent)
                && let Some(slice) = state.front(*partition, held.records)
            {
                state.held = Some(PendingDiscard { sent: true, ..held });
                out.push(StreamAction::SendToDestination(slice, held.reason));
            }
        }
    }

    pub(super) fn delivered(
        &mut self,
        now: Millis,
        partition: Partition,
        taken: bool,
        out: &mut Vec<StreamAction>,
    ) {
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(held) = state.held else { return };
        if taken {
            state.held = None;
            self.over(partition, held.records, out);
        } else {
            let attempts = held.attempts.saturating_add(1);
            state.held = Some(PendingDiscard {
                sent: false,
                attempts,
                ..held
            });
            state.not_before = now + backoff(&self.settings, attempts);
        }
    }
}
