//! Decides which records travel together.

use super::machine::{InFlightSlice, StreamMachine};
use super::partition::PartitionState;
use super::{Partition, Slice, StreamAction};
use crate::{Millis, millis};

impl StreamMachine {
    /// Starts one invocation, if possible; returns whether it did.
    pub(super) fn start(&mut self, now: Millis) -> bool {
        if self.in_flight.len() >= self.settings.max_in_flight {
            return false;
        }
        let mut ready = self.ready(now);
        ready.sort_by_key(|partition| {
            self.partitions
                .get(partition)
                .map(PartitionState::oldest_arrival)
        });
        let max_age = self.max_age();
        let retry = ready.iter().find_map(|partition| {
            let state = self.partitions.get_mut(partition)?;
            let segment = state.retry()?;
            let young = state.young(segment.records, now, max_age);
            state.split(young);
            Some((state.front(*partition, young)?, segment.attempts))
        });
        let slices = match retry {
            // alone, so that it fails no other partition's records
            Some((slice, attempts)) => vec![(slice, attempts)],
            None => self
                .gather(now, &ready)
                .into_iter()
                .map(|slice| (slice, 0))
                .collect(),
        };
        if slices.is_empty() {
            return false;
        }
        self.next_id += 1;
        self.actions.push(StreamAction::Invoke(
            self.next_id,
            slices.iter().map(|(slice, _)| *slice).collect(),
        ));
        let sent = slices.into_iter().filter_map(|(slice, attempts)| {
            let epoch = self.partitions.get(&slice.partition)?.epoch;
            Some(InFlightSlice {
                slice,
                epoch,
                attempts,
            })
        });
        let sent: Vec<_> = sent.collect();
        self.busy
            .extend(sent.iter().map(|sent| sent.slice.partition));
        self.in_flight.insert(self.next_id, sent);
        true
    }

    /// Partitions whose front can travel now, after records that may not travel are discarded.
    fn ready(&mut self, now: Millis) -> Vec<Partition> {
        let candidates: Vec<Partition> = self
            .partitions
            .iter()
            .filter(|(partition, state)| {
                self.may_start(partition) && state.held.is_none() && !state.is_empty()
            })
            .map(|(partition, _)| *partition)
            .collect();
        self.discard_unfit(now, &candidates);
        candidates
            .into_iter()
            .filter(|partition| {
                self.partitions.get(partition).is_some_and(|state| {
                    state.held.is_none() && !state.is_empty() && state.not_before <= now
                })
            })
            .collect()
    }

    /// Slices of the ready partitions, oldest first, within the limits of a batch. None while the
    /// window is open.
    fn gather(&self, now: Millis, ready: &[Partition]) -> Vec<Slice> {
        let limit = self.settings.max_payload;
        let mut bytes = self.settings.envelope;
        let mut count = 0;
        let mut full = false;
        let mut slices = Vec::new();
        for partition in ready {
            let Some(state) = self.partitions.get(partition) else {
                continue;
            };
            bytes += self.settings.partition_overhead;
            let room = limit.saturating_sub(bytes);
            let young = state.young(self.settings.batch_size - count, now, self.max_age());
            let (taken, used) = state.fitting(young, room);
            slices.extend(state.front(*partition, taken));
            bytes += used;
            count += taken;
            full = count >= self.settings.batch_size || taken < state.len();
            if full {
                break;
            }
        }
        let oldest = ready
            .first()
            .and_then(|partition| self.partitions.get(partition))
            .map_or(now, PartitionState::oldest_arrival);
        let window = millis(self.settings.window);
        if full || now >= oldest.saturating_add(window) {
            slices
        } else {
            Vec::new()
        }
    }
}
