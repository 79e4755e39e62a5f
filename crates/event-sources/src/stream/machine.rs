//! The state of a mapping, and how inputs change it.

use crate::{InvocationId, Millis};
use std::collections::{BTreeMap, BTreeSet};

use super::partition::PartitionState;
use super::{Holding, Offset, Partition, Slice, StreamAction, StreamInput, StreamSettings};
use crate::SourceSettings;

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
        }
    }

    /// Applies an input and everything that is due at `now`; appends the resulting actions.
    pub fn step(&mut self, now: Millis, input: StreamInput<'_>, out: &mut Vec<StreamAction>) {
        match input {
            StreamInput::Assigned(partitions) => self.assigned(partitions),
            StreamInput::Records(partition, records) => {
                if let Some(state) = self.partitions.get_mut(&partition) {
                    state.push(records, now);
                    self.pause_if_full(partition, out);
                }
            }
            StreamInput::Skipped(partition, through) => {
                let done = self
                    .partitions
                    .get_mut(&partition)
                    .and_then(|state| state.skip(through));
                out.extend(done.map(|through| StreamAction::Release(partition, through)));
            }
            StreamInput::Finished(id, finish) => self.finished(now, id, finish, out),
            StreamInput::Revoked(partitions) => {
                self.commit(partitions.iter().copied(), out);
                self.forget(partitions);
            }
            StreamInput::Lost(partitions) => self.forget(partitions),
            StreamInput::Reset(partition) => {
                if self
                    .partitions
                    .get(&partition)
                    .is_some_and(|state| state.paused)
                {
                    out.push(StreamAction::Resume(partition));
                }
                self.assigned(&[partition]);
            }
            StreamInput::Sought(partition, next) => self.sought(partition, next, out),
            StreamInput::Skip(partition, offset) => self.skip_record(now, partition, offset, out),
            StreamInput::CommitFailed(partitions) => {
                for partition in partitions {
                    if let Some(state) = self.partitions.get_mut(partition) {
                        state.commit_failed();
                    }
                }
            }
            StreamInput::Delivered(partition, taken) => self.delivered(now, partition, taken, out),
            StreamInput::Tuned(tuned) => self.tuned(tuned),
            StreamInput::Drain => self.draining = true,
            StreamInput::Flush => self.commit_all(now, out),
            StreamInput::Tick => {}
        }
        if !self.draining {
            self.send_pending(now, out);
            while !self.paused && self.start(now, out) {}
        }
        if now >= self.commit_due() {
            self.commit_all(now, out);
        }
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
                    self.settings.window.as_millis() as Millis
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
        let window = self.settings.window.as_millis() as Millis;
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
    pub(super) fn finish(
        &mut self,
        partition: Partition,
        records: usize,
        out: &mut Vec<StreamAction>,
    ) {
        let (max_records, max_bytes) = self.room();
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(last) = state.finish(records) else {
            return;
        };
        out.push(StreamAction::Release(partition, last));
        if state.paused && state.len() <= max_records / 2 && state.bytes() <= max_bytes / 2 {
            state.paused = false;
            out.push(StreamAction::Resume(partition));
        }
    }

    fn pause_if_full(&mut self, partition: Partition, out: &mut Vec<StreamAction>) {
        let (max_records, max_bytes) = self.room();
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if !state.paused && (state.len() >= max_records || state.bytes() >= max_bytes) {
            state.paused = true;
            out.push(StreamAction::Pause(partition));
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
        self.settings
            .max_age
            .map_or(Millis::MAX, |age| age.as_millis() as Millis)
    }

    fn commit_due(&self) -> Millis {
        self.last_commit
            .saturating_add(self.settings.commit_interval.as_millis() as Millis)
    }

    fn commit_all(&mut self, now: Millis, out: &mut Vec<StreamAction>) {
        let before = out.len();
        let partitions: Vec<Partition> = self.partitions.keys().copied().collect();
        self.commit(partitions.into_iter(), out);
        if out.len() > before {
            self.last_commit = now;
        }
    }

    fn commit(&mut self, partitions: impl Iterator<Item = Partition>, out: &mut Vec<StreamAction>) {
        let offsets: Vec<(Partition, Offset)> = partitions
            .filter_map(|partition| {
                let state = self.partitions.get_mut(&partition)?;
                let offset = state.uncommitted()?;
                state.mark_committed();
                Some((partition, offset))
            })
            .collect();
        if !offsets.is_empty() {
            out.push(StreamAction::Commit(offsets));
        }
    }
}
