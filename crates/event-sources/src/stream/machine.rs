//! Which records travel together, and what follows from each result.

use crate::{InvocationId, Millis};
use std::collections::{BTreeMap, BTreeSet};

use super::partition::{PartitionState, Segment};
use super::{
    DiscardReason, FailedRecord, Holding, Offset, Partition, Slice, StreamAction,
    StreamBatchResult, StreamInput, StreamSettings,
};
use crate::SourceSettings;

#[derive(Debug)]
struct InFlightSlice {
    slice: Slice,
    epoch: u64,
    /// Failed attempts before this one.
    attempts: u32,
}

/// The state of one mapping.
#[derive(Debug)]
pub struct StreamMachine {
    pub(super) settings: StreamSettings,
    pub(super) partitions: BTreeMap<Partition, PartitionState>,
    flying: BTreeMap<InvocationId, Vec<InFlightSlice>>,
    /// Partitions with a slice in flight, those of an earlier assignment included.
    busy: BTreeSet<Partition>,
    next_id: InvocationId,
    next_epoch: u64,
    last_commit: Millis,
    draining: bool,
    /// Invokes nothing until told otherwise; records are held up to the usual bounds.
    paused: bool,
    /// The same, for these partitions.
    paused_partitions: BTreeSet<Partition>,
}

impl StreamMachine {
    /// A mapping without partitions.
    pub fn new(settings: StreamSettings) -> Self {
        Self {
            settings,
            partitions: BTreeMap::new(),
            flying: BTreeMap::new(),
            busy: BTreeSet::new(),
            next_id: 0,
            next_epoch: 0,
            last_commit: Millis::MIN / 2,
            draining: false,
            paused: false,
            paused_partitions: BTreeSet::new(),
        }
    }

    /// Takes what happened and appends what to do. Every step also does what has become due by `now`.
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
            self.send_held(now, out);
            while !self.paused && self.start(now, out) {}
        }
        if now >= self.commit_due() {
            self.commit_all(now, out);
        }
    }

    /// When the next step is due if nothing happens before. `None`: only an event can move it.
    pub fn wake(&self) -> Option<Millis> {
        let dirty = self
            .partitions
            .values()
            .any(|state| state.uncommitted().is_some());
        let commit = dirty.then(|| self.commit_due());
        let free =
            !self.draining && !self.paused && self.flying.len() < self.settings.max_in_flight;
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

    /// Nothing is in flight.
    pub fn is_idle(&self) -> bool {
        self.flying.is_empty()
    }

    /// What is held of each partition: for the status.
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

    /// An epoch that no result in flight belongs to.
    pub(super) fn next_epoch(&mut self) -> u64 {
        self.next_epoch += 1;
        self.next_epoch
    }

    /// Nothing of the partition is in flight, and no operator holds it back.
    fn may_start(&self, partition: &Partition) -> bool {
        !self.busy.contains(partition) && !self.paused_partitions.contains(partition)
    }

    fn forget(&mut self, partitions: &[Partition]) {
        self.partitions
            .retain(|partition, _| !partitions.contains(partition));
    }

    /// Starts one invocation if one can start.
    fn start(&mut self, now: Millis, out: &mut Vec<StreamAction>) -> bool {
        if self.flying.len() >= self.settings.max_in_flight {
            return false;
        }
        let mut ready = self.ready(now, out);
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
            // alone: what made it fail must not fail another partition's records
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
        out.push(StreamAction::Invoke(
            self.next_id,
            slices.iter().map(|(slice, _)| *slice).collect(),
        ));
        let flying = slices.into_iter().filter_map(|(slice, attempts)| {
            let epoch = self.partitions.get(&slice.partition)?.epoch;
            Some(InFlightSlice {
                slice,
                epoch,
                attempts,
            })
        });
        let flying: Vec<_> = flying.collect();
        self.busy
            .extend(flying.iter().map(|flying| flying.slice.partition));
        self.flying.insert(self.next_id, flying);
        true
    }

    /// Partitions whose front can travel now. Gives up what is too old on the way.
    fn ready(&mut self, now: Millis, out: &mut Vec<StreamAction>) -> Vec<Partition> {
        let candidates: Vec<Partition> = self
            .partitions
            .iter()
            .filter(|(partition, state)| {
                self.may_start(partition) && state.held.is_none() && !state.is_empty()
            })
            .map(|(partition, _)| *partition)
            .collect();
        self.give_up_what_may_not_travel(now, &candidates, out);
        candidates
            .into_iter()
            .filter(|partition| {
                self.partitions.get(partition).is_some_and(|state| {
                    state.held.is_none() && !state.is_empty() && state.not_before <= now
                })
            })
            .collect()
    }

    /// Fresh records of the ready partitions, oldest first, up to the batch's limits; nothing while the window is open.
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
        let window = self.settings.window.as_millis() as Millis;
        if full || now >= oldest.saturating_add(window) {
            slices
        } else {
            Vec::new()
        }
    }

    fn finished(
        &mut self,
        now: Millis,
        id: InvocationId,
        finish: StreamBatchResult,
        out: &mut Vec<StreamAction>,
    ) {
        let Some(slices) = self.flying.remove(&id) else {
            return;
        };
        for flying in &slices {
            self.busy.remove(&flying.slice.partition);
        }
        let finish = match finish {
            StreamBatchResult::Answered(failures) => match self.foreign(&slices, &failures) {
                None => StreamBatchResult::Answered(failures),
                Some(why) => {
                    out.push(StreamAction::RejectedResponse(why));
                    StreamBatchResult::Failed
                }
            },
            other => other,
        };
        for flying in slices {
            let partition = flying.slice.partition;
            // given up meanwhile, perhaps assigned again: the result is void
            let Some(state) = self
                .partitions
                .get_mut(&partition)
                .filter(|state| state.epoch == flying.epoch)
            else {
                continue;
            };
            match &finish {
                StreamBatchResult::NotInvoked => {
                    state.not_before = now + self.settings.backoff.as_millis() as Millis;
                }
                StreamBatchResult::Failed => self.failed(now, &flying, 0, out),
                StreamBatchResult::Answered(failures) => {
                    let offsets = failures
                        .iter()
                        .filter(|failure| failure.partition == partition)
                        .map(|failure| failure.offset);
                    match state.lowest(flying.slice.records, offsets) {
                        Ok(Some(at)) => self.failed(now, &flying, at, out),
                        _ => self.over(partition, flying.slice.records, out),
                    }
                }
            }
        }
    }

    /// Says which failure names a record that the invocation did not carry.
    fn foreign(&self, slices: &[InFlightSlice], failures: &[FailedRecord]) -> Option<String> {
        failures.iter().find_map(|failure| {
            let flying = slices.iter().find(|flying| flying.slice.partition == failure.partition);
            let known = flying.is_some_and(|flying| {
                let state = self.partitions.get(&failure.partition).filter(|state| state.epoch == flying.epoch);
                state.is_none_or(|state| state.lowest(flying.slice.records, std::iter::once(failure.offset)).is_ok())
            });
            (!known).then(|| {
                format!(
                    "the partial batch response names offset {} of partition {}, which the batch does not have; the whole batch counts as failed",
                    failure.offset, failure.partition.number
                )
            })
        })
    }

    /// The slice's records from position `at` on failed; those before are done.
    fn failed(
        &mut self,
        now: Millis,
        flying: &InFlightSlice,
        at: usize,
        out: &mut Vec<StreamAction>,
    ) {
        let partition = flying.slice.partition;
        self.over(partition, at, out);
        let rest = flying.slice.records - at;
        let settings = &self.settings;
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if settings.bisect && rest > 1 && at == 0 {
            let half = rest.div_ceil(2);
            let attempts = flying.attempts;
            state.recut(
                rest,
                &[
                    Segment {
                        records: half,
                        attempts,
                    },
                    Segment {
                        records: rest - half,
                        attempts,
                    },
                ],
            );
            state.not_before = now + settings.backoff.as_millis() as Millis;
            return;
        }
        let attempts = if at > 0 {
            1
        } else {
            flying.attempts.saturating_add(1)
        };
        if settings.max_retries.is_some_and(|most| attempts > most) {
            state.recut(rest, &[]);
            self.give_up(now, partition, rest, DiscardReason::RetriesExhausted, out);
            return;
        }
        state.recut(
            rest,
            &[Segment {
                records: rest,
                attempts,
            }],
        );
        state.not_before = now + backoff(settings, attempts);
    }

    /// The partition's first `records` are over with.
    pub(super) fn over(
        &mut self,
        partition: Partition,
        records: usize,
        out: &mut Vec<StreamAction>,
    ) {
        let (most_records, most_bytes) = self.room();
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        let Some(last) = state.finish(records) else {
            return;
        };
        out.push(StreamAction::Release(partition, last));
        if state.paused && state.len() <= most_records / 2 && state.bytes() <= most_bytes / 2 {
            state.paused = false;
            out.push(StreamAction::Resume(partition));
        }
    }

    fn pause_if_full(&mut self, partition: Partition, out: &mut Vec<StreamAction>) {
        let (most_records, most_bytes) = self.room();
        let Some(state) = self.partitions.get_mut(&partition) else {
            return;
        };
        if !state.paused && (state.len() >= most_records || state.bytes() >= most_bytes) {
            state.paused = true;
            out.push(StreamAction::Pause(partition));
        }
    }

    /// Records and bytes that one partition may hold: a batch in flight, one ahead, and a fair share of the budget.
    fn room(&self) -> (usize, usize) {
        let share = self.settings.buffer_bytes / self.partitions.len().max(1);
        ((self.settings.batch_size * 3).max(1_000), share)
    }

    /// `Millis::MAX` without a limit.
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

/// Doubles with every attempt, up to the limit.
pub(super) fn backoff(settings: &StreamSettings, attempts: u32) -> Millis {
    let factor = 1_u32
        .checked_shl(attempts.saturating_sub(1).min(20))
        .unwrap_or(u32::MAX);
    settings
        .backoff
        .saturating_mul(factor)
        .min(settings.max_backoff)
        .as_millis() as Millis
}
