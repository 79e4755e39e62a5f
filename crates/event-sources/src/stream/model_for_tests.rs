//! A model of everything around the machine, for the property tests.

use std::collections::{BTreeMap, BTreeSet};

use super::case_tests::partition;
use super::*;

pub(super) const PARTITIONS: i32 = 3;

/// An event of a random run.
#[derive(Debug, Clone)]
pub(super) enum StreamEvent {
    /// Further records reach the host.
    Deliver {
        partition: i32,
        records: usize,
        size: usize,
    },
    /// A delivery to the destination ends.
    Post {
        taken: bool,
    },
    /// One of the invocations in flight ends.
    Finished {
        which: usize,
        how: StreamEnding,
    },
    Rebalance {
        partition: i32,
        lost: bool,
    },
    CommitFails {
        partition: i32,
    },
    Pass {
        milliseconds: i64,
    },
    /// An operator moves the partition to so many tenths of what the host has read.
    Seek {
        partition: i32,
        tenths: i64,
    },
    /// An operator skips the partition's oldest record.
    Skip {
        partition: i32,
    },
}

#[derive(Debug, Clone)]
pub(super) enum StreamEnding {
    Success,
    Failed,
    NotInvoked,
    /// The record at this index of every slice fails, if there is one, and the last.
    Partial(usize),
    /// The answer names a record that was not in the batch.
    Nonsense,
}

/// The expected state of the driver, the logs and the group, and the machine under test.
pub(super) struct StreamModel {
    pub(super) machine: StreamMachine,
    pub(super) now: Millis,
    /// Offsets of each partition's log: every third one is missing.
    pub(super) committed: BTreeMap<i32, Offset>,
    /// Next offset that the host reads.
    pub(super) position: BTreeMap<i32, Offset>,
    /// Records that the machine holds, according to the model.
    pub(super) held: BTreeMap<i32, Vec<Offset>>,
    /// Done (successfully processed) at least once.
    pub(super) done: BTreeMap<i32, BTreeSet<Offset>>,
    pub(super) given_up: BTreeMap<i32, BTreeSet<Offset>>,
    /// Deliveries in progress, by partition.
    pub(super) deliveries: BTreeMap<i32, Slice>,
    pub(super) in_flight: BTreeMap<InvocationId, Vec<(Slice, u64)>>,
    pub(super) generation: BTreeMap<i32, u64>,
    pub(super) records: BTreeMap<(i32, Offset), Record>,
    pub(super) limits: StreamSettings,
}

pub(super) fn next_offset(after: Offset) -> Offset {
    if after % 3 == 2 { after + 1 } else { after }
}

impl StreamModel {
    pub(super) fn new(limits: StreamSettings) -> Self {
        let zero: BTreeMap<i32, Offset> = (0..PARTITIONS).map(|p| (p, 0)).collect();
        let mut model = Self {
            machine: StreamMachine::new(limits.clone()),
            now: 1_000_000,
            committed: zero.clone(),
            position: zero,
            held: BTreeMap::new(),
            done: BTreeMap::new(),
            given_up: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            generation: BTreeMap::new(),
            records: BTreeMap::new(),
            limits,
        };
        let all: Vec<_> = (0..PARTITIONS).map(partition).collect();
        model.step(StreamInput::Assigned(&all));
        model
    }

    pub(super) fn step(&mut self, input: StreamInput<'_>) {
        let mut actions = Vec::new();
        self.machine.step(self.now, input, &mut actions);
        for action in actions {
            self.execute(action);
        }
    }

    pub(super) fn execute(&mut self, action: StreamAction) {
        match action {
            StreamAction::Invoke(id, slices) => self.invoked(id, slices),
            StreamAction::Commit(offsets) => {
                for (partition, offset) in offsets {
                    let p = partition.number;
                    assert!(offset >= self.committed[&p], "a commit goes back");
                    let over = |o: &Offset| {
                        self.done.get(&p).is_some_and(|d| d.contains(o))
                            || self.given_up.get(&p).is_some_and(|d| d.contains(o))
                    };
                    let mut at = next_offset(0);
                    while at < offset {
                        assert!(
                            over(&at),
                            "partition {p}: the commit {offset} passes {at}, which is not done"
                        );
                        at = next_offset(at + 1);
                    }
                    self.committed.insert(p, offset);
                }
            }
            StreamAction::Release(partition, last) => self
                .held
                .entry(partition.number)
                .or_default()
                .retain(|o| *o > last),
            StreamAction::Discard(slice, reason) => {
                assert!(
                    reason == DiscardReason::Skipped || !self.limits.has_destination,
                    "discarded beside a destination"
                );
                let unfit = matches!(reason, DiscardReason::Skipped | DiscardReason::TooLarge);
                assert!(
                    unfit || self.limits.max_retries.is_some() || self.limits.max_age.is_some()
                );
                let held = self.held.entry(slice.partition.number).or_default();
                let over: Vec<Offset> = held
                    .iter()
                    .copied()
                    .filter(|o| (slice.first..=slice.last).contains(o))
                    .collect();
                assert_eq!(over.len(), slice.records);
                self.given_up
                    .entry(slice.partition.number)
                    .or_default()
                    .extend(over);
            }
            StreamAction::Pause(_)
            | StreamAction::Resume(_)
            | StreamAction::RejectedResponse(_) => {}
            StreamAction::SendToDestination(slice, _) => {
                let p = slice.partition.number;
                assert!(self.limits.has_destination);
                assert!(
                    !self
                        .in_flight
                        .values()
                        .flatten()
                        .any(|(other, generation)| {
                            other.partition == slice.partition
                                && self.generation.get(&p).copied().unwrap_or(0) == *generation
                        })
                );
                assert_eq!(self.held[&p][0], slice.first, "not the oldest");
                assert!(
                    self.deliveries.insert(p, slice).is_none(),
                    "two deliveries of one partition"
                );
            }
        }
    }

    pub(super) fn invoked(&mut self, id: InvocationId, slices: Vec<Slice>) {
        assert!(!slices.is_empty());
        assert!(self.in_flight.len() < self.limits.max_in_flight);
        assert!(slices.iter().map(|slice| slice.records).sum::<usize>() <= self.limits.batch_size);
        let mut bytes = self.limits.envelope;
        for slice in &slices {
            let p = slice.partition.number;
            assert!(
                !self
                    .in_flight
                    .values()
                    .flatten()
                    .any(|(other, _)| other.partition == slice.partition),
                "two slices of partition {p} in flight"
            );
            let front = &self.held[&p][..slice.records];
            assert!(
                !self.deliveries.contains_key(&p),
                "partition {p} does not wait for its destination"
            );
            assert_eq!(
                (front[0], front[front.len() - 1]),
                (slice.first, slice.last),
                "partition {p} skips or reorders"
            );
            bytes += self.limits.partition_overhead
                + front
                    .iter()
                    .map(|o| self.records[&(p, *o)].size + 1)
                    .sum::<usize>();
            let old = |o: &Offset| {
                self.limits.max_age.is_some_and(|age| {
                    self.records[&(p, *o)].is_older(self.now, age.as_millis() as Millis)
                })
            };
            assert!(
                !front.iter().any(old),
                "partition {p}: a record that is too old travels"
            );
        }
        assert!(
            bytes <= self.limits.max_payload,
            "{bytes} bytes in one event"
        );
        let tagged = slices.into_iter().map(|slice| {
            (
                slice,
                self.generation
                    .get(&slice.partition.number)
                    .copied()
                    .unwrap_or(0),
            )
        });
        let tagged = tagged.collect();
        self.in_flight.insert(id, tagged);
    }
}
