//! The state of a mapping, and how inputs change it.

use std::collections::{BTreeMap, BTreeSet};

use super::partition::PartitionState;
use super::{Holding, Offset, Partition, Slice, StreamAction, StreamInput, StreamSettings};
use crate::{InvocationId, Millis, SourceSettings, millis};

/// A slice at the function.
#[derive(Debug)]
pub(super) struct InFlightSlice {
    pub(super) slice: Slice,
    /// Epoch of its partition when it started.
    pub(super) epoch: u64,
    /// Failed attempts before this one.
    pub(super) attempts: u32,
}

/// The state of one mapping.
#[derive(Debug)]
pub struct StreamMachine {
    pub(super) settings: StreamSettings,
    pub(super) partitions: BTreeMap<Partition, PartitionState>,
    pub(super) in_flight: BTreeMap<InvocationId, Vec<InFlightSlice>>,
    /// Partitions with a slice in flight, those of an earlier assignment included.
    pub(super) busy: BTreeSet<Partition>,
    pub(super) next_id: InvocationId,
    next_epoch: u64,
    last_commit: Millis,
    draining: bool,
    /// Invokes nothing while set. Records are still read, up to the usual bounds.
    paused: bool,
    /// Partitions to which the same applies.
    paused_partitions: BTreeSet<Partition>,
    /// Actions of the current step.
    pub(super) actions: Vec<StreamAction>,
}

impl StreamMachine {
    /// A mapping without partitions.
    pub fn new(settings: StreamSettings) -> Self {
        Self {
            settings,
            partitions: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            busy: BTreeSet::new(),
            next_id: 0,
            next_epoch: 0,
            last_commit: Millis::MIN / 2,
            draining: false,
            paused: false,
            paused_partitions: BTreeSet::new(),
            actions: Vec::new(),
        }
    }

    /// Applies an input and everything that is due at `now`; appends the resulting actions.
    pub fn step(&mut self, now: Millis, input: StreamInput<'_>, out: &mut Vec<StreamAction>) {
        match input {
            StreamInput::Assigned(partitions) => self.assigned(partitions),
            StreamInput::Records(partition, records) => {
                if let Some(state) = self.partitions.get_mut(&partition) {
                    state.push(records, now);
                    self.pause_if_full(partition);
                }
            }
            StreamInput::Skipped(partition, through) => {
                let done = self
                    .partitions
                    .get_mut(&partition)
                    .and_then(|state| state.skip(through));
                self.actions
                    .extend(done.map(|through| StreamAction::Release(partition, through)));
            }
            StreamInput::Finished(id, finish) => self.finished(now, id, finish),
            StreamInput::Revoked(partitions) => {
                self.commit(partitions);
                self.forget(partitions);
            }
            StreamInput::Lost(partitions) => self.forget(partitions),
            StreamInput::Reset(partition) => {
                self.restarted(partition);
            }
            StreamInput::Sought(partition, next) => self.sought(partition, next),
            StreamInput::Skip(partition, offset) => self.skip_record(now, partition, offset),
            StreamInput::CommitFailed(partitions) => {
                for partition in partitions {
                    if let Some(state) = self.partitions.get_mut(partition) {
                        state.committed = None;
                    }
                }
            }
            StreamInput::Delivered(partition, taken) => self.delivered(now, partition, taken),
            StreamInput::Tuned(tuned) => self.tuned(tuned),
            StreamInput::Drain => self.draining = true,
            StreamInput::Flush => self.commit_all(now),
            StreamInput::Tick => {}
        }
        if !self.draining {
            self.send_pending(now);
            while !self.paused && self.start(now) {}
        }
        if now >= self.commit_due() {
            self.commit_all(now);
        }
        out.append(&mut self.actions);
    }

    /// When the next [`StreamInput::Tick`] is due. `None`: nothing is due.
    pub fn wake(&self) -> Option<Millis> {
        let dirty = self
            .partitions
            .values()
            .any(|state| state.uncommitted().is_some());
        let commit = dirty.then(|| self.commit_due());
        let free =
            !self.draining && !self.paused && self.in_flight.len() < self.settings.max_in_flight;
        let invoke = self
            .partitions
            .iter()
            .filter(|(partition, state)| free && !state.is_empty() && self.may_start(partition))
            .filter(|(_, state)| state.held.is_none_or(|held| !held.sent))
            .map(|(_, state)| {
                let window = if state.retry().is_some() {
                    0
                } else {
                    millis(self.settings.window)
                };
                state
                    .not_before
                    .max(state.oldest_arrival().saturating_add(window))
            })
            .min();
        commit.into_iter().chain(invoke).min()
    }

    /// Whether nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// The state of each partition, for the status.
    pub fn overview(&self) -> impl Iterator<Item = Holding> {
        let window = millis(self.settings.window);
        self.partitions
            .iter()
            .map(move |(partition, state)| Holding {
                partition: *partition,
                held: state.len(),
                first: state.first(),
                oldest: state.first_time(),
                in_flight: self.busy.contains(partition),
                gathers_until: (window > 0 && !state.is_empty() && state.retry().is_none())
                    .then(|| state.oldest_arrival().saturating_add(window)),
                full: state.paused,
            })
    }

    fn tuned(&mut self, tuned: SourceSettings) {
        self.settings.batch_size = tuned.batch_size.max(1);
        self.settings.window = tuned.window;
        self.settings.max_in_flight = tuned.concurrency.max(1);
        self.paused = tuned.paused;
        self.paused_partitions = tuned.paused_partitions;
    }

    pub(super) fn assigned(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            let epoch = self.next_epoch();
            self.partitions
                .insert(*partition, PartitionState::new(epoch));
        }
    }

    /// Replaces the state of an assigned partition: its held records are void.
    pub(super) fn restarted(&mut self, partition: Partition) -> Option<&mut PartitionState> {
        if self.partitions.get(&partition)?.paused {
            self.actions.push(StreamAction::Resume(partition));
        }
        self.assigned(&[partition]);
        self.partitions.get_mut(&partition)
    }

    /// An epoch to which no result in flight belongs.
    pub(super) fn next_epoch(&mut self) -> u64 {
        self.next_epoch += 1;
        self.next_epoch
    }

    /// Whether no slice of the partition is in flight and no operator has paused it.
    pub(super) fn may_start(&self, partition: &Partition) -> bool {
        !self.busy.contains(partition) && !self.paused_partitions.contains(partition)
    }

    fn forget(&mut self, partitions: &[Partition]) {
        self.partitions
            .retain(|partition, _| !partitions.contains(partition));
    }

    /// Removes the partition's first `records`, which are done or discarded.
    pub(super) fn finish(&mut self, partition: Partition, records: usize) {
        let (max_records, max_bytes) = self.room();
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(last) = state.finish(records) else {
            return;
        };
        self.actions.push(StreamAction::Release(partition, last));
        if state.paused && state.len() <= max_records / 2 && state.bytes <= max_bytes / 2 {
            state.paused = false;
            self.actions.push(StreamAction::Resume(partition));
        }
    }

    fn pause_if_full(&mut self, partition: Partition) {
        let (max_records, max_bytes) = self.room();
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if !state.paused && (state.len() >= max_records || state.bytes >= max_bytes) {
            state.paused = true;
            self.actions.push(StreamAction::Pause(partition));
        }
    }

    /// Maximum of records and bytes that one partition may hold: a batch in flight, one ahead, and
    /// an equal share of the buffer.
    fn room(&self) -> (usize, usize) {
        let share = self.settings.buffer_bytes / self.partitions.len().max(1);
        ((self.settings.batch_size * 3).max(1_000), share)
    }

    /// Maximum age of a record; `Millis::MAX` without a limit.
    pub(super) fn max_age(&self) -> Millis {
        self.settings.max_age.map_or(Millis::MAX, millis)
    }

    fn commit_due(&self) -> Millis {
        self.last_commit
            .saturating_add(millis(self.settings.commit_interval))
    }

    fn commit_all(&mut self, now: Millis) {
        let partitions: Vec<Partition> = self.partitions.keys().copied().collect();
        if self.commit(&partitions) {
            self.last_commit = now;
        }
    }

    /// Commits what is done of these partitions; returns whether there was something.
    fn commit(&mut self, partitions: &[Partition]) -> bool {
        let offsets: Vec<(Partition, Offset)> = partitions
            .iter()
            .filter_map(|partition| {
                let state = self.partitions.get_mut(partition)?;
                let offset = state.uncommitted()?;
                state.committed = state.done;
                Some((*partition, offset))
            })
            .collect();
        let some = !offsets.is_empty();
        if some {
            self.actions.push(StreamAction::Commit(offsets));
        }
        some
    }
}
