//! A model of everything around the machine, for the property tests.

use std::collections::{BTreeMap, BTreeSet};

use super::case_tests::partition;
use super::*;

pub(super) const PARTITIONS: i32 = 3;

/// An event of a random run.
#[derive(Debug, Clone)]
pub(super) enum Event {
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
        how: How,
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
pub(super) enum How {
    Success,
    Failed,
    NotInvoked,
    /// The record at this index of every slice fails, if there is one, and the last.
    Partial(usize),
    /// The answer names a record that was not in the batch.
    Nonsense,
}

/// The expected state of the driver, the logs and the group, and the machine under test.
pub(super) struct Model {
    machine: StreamMachine,
    now: Millis,
    /// Offsets of each partition's log: every third one is missing.
    committed: BTreeMap<i32, Offset>,
    /// Next offset that the host reads.
    position: BTreeMap<i32, Offset>,
    /// Records that the machine holds, according to the model.
    held: BTreeMap<i32, Vec<Offset>>,
    /// Done (successfully processed) at least once.
    done: BTreeMap<i32, BTreeSet<Offset>>,
    given_up: BTreeMap<i32, BTreeSet<Offset>>,
    /// Deliveries in progress, by partition.
    deliveries: BTreeMap<i32, Slice>,
    in_flight: BTreeMap<InvocationId, Vec<(Slice, u64)>>,
    generation: BTreeMap<i32, u64>,
    records: BTreeMap<(i32, Offset), Record>,
    limits: StreamSettings,
}

fn next_offset(after: Offset) -> Offset {
    if after % 3 == 2 { after + 1 } else { after }
}

impl Model {
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

    fn step(&mut self, input: StreamInput<'_>) {
        let mut actions = Vec::new();
        self.machine.step(self.now, input, &mut actions);
        for action in actions {
            self.execute(action);
        }
    }

    fn execute(&mut self, action: StreamAction) {
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

    fn invoked(&mut self, id: InvocationId, slices: Vec<Slice>) {
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

    /// Ends one delivery.
    fn end_delivery(&mut self, taken: bool) {
        let Some((p, slice)) = self.deliveries.pop_first() else {
            return;
        };
        if taken {
            let held = &self.held[&p];
            let over: Vec<Offset> = held
                .iter()
                .copied()
                .filter(|o| (slice.first..=slice.last).contains(o))
                .collect();
            assert_eq!(over.len(), slice.records);
            self.given_up.entry(p).or_default().extend(over);
        }
        self.step(StreamInput::Delivered(partition(p), taken));
    }

    fn deliver(&mut self, p: i32, count: usize, size: usize) {
        let mut records = Vec::new();
        let mut skipped = None;
        let mut at = next_offset(self.position[&p]);
        for _ in 0..count {
            if at % 4 == 1 {
                // dropped by a filter
                self.done.entry(p).or_default().insert(at);
                skipped = Some(at);
            } else {
                // timestamps vary; one of seven records has none
                let time = if at % 7 == 3 {
                    -1
                } else {
                    self.now - at % 5 * 900
                };
                let record = Record {
                    offset: at,
                    size,
                    time,
                };
                records.push(record);
                self.records.insert((p, at), record);
                self.held.entry(p).or_default().push(at);
            }
            at = next_offset(at + 1);
        }
        self.position.insert(p, at);
        self.step(StreamInput::Records(partition(p), &records));
        if let Some(through) = skipped {
            self.step(StreamInput::Skipped(partition(p), through));
        }
    }

    fn finish(&mut self, which: usize, how: &How) {
        let Some(id) = self
            .in_flight
            .keys()
            .nth(which % self.in_flight.len().max(1))
            .copied()
        else {
            return;
        };
        let slices = self.in_flight.remove(&id).unwrap();
        let mut failures = Vec::new();
        for (slice, generation) in &slices {
            let p = slice.partition.number;
            if self.generation.get(&p).copied().unwrap_or(0) != *generation {
                continue;
            }
            let front: Vec<Offset> = self.held[&p][..slice.records].to_vec();
            match how {
                How::Success => self.done.entry(p).or_default().extend(front),
                How::Partial(at) => {
                    if let Some(offset) = front.get(*at) {
                        failures.push(FailedRecord {
                            partition: slice.partition,
                            offset: *front.last().unwrap(),
                        });
                        failures.push(FailedRecord {
                            partition: slice.partition,
                            offset: *offset,
                        });
                    }
                    self.done
                        .entry(p)
                        .or_default()
                        .extend(front.into_iter().take(*at));
                }
                How::Nonsense => failures.push(FailedRecord {
                    partition: slice.partition,
                    offset: slice.last + 1,
                }),
                How::Failed | How::NotInvoked => {}
            }
        }
        if matches!(how, How::Nonsense) && failures.is_empty() {
            failures.push(FailedRecord {
                partition: partition(99),
                offset: 0,
            });
        }
        let finish = match how {
            How::Success => StreamBatchResult::Answered(Vec::new()),
            How::Failed => StreamBatchResult::Failed,
            How::NotInvoked => StreamBatchResult::NotInvoked,
            How::Partial(_) | How::Nonsense => StreamBatchResult::Answered(failures),
        };
        self.step(StreamInput::Finished(id, finish));
    }

    fn rebalance(&mut self, p: i32, lost: bool) {
        let given = [partition(p)];
        self.step(if lost {
            StreamInput::Lost(&given)
        } else {
            StreamInput::Revoked(&given)
        });
        *self.generation.entry(p).or_default() += 1;
        self.held.remove(&p);
        self.deliveries.remove(&p);
        self.position.insert(p, self.committed[&p]);
        self.step(StreamInput::Assigned(&given));
    }

    /// Records before the new offset count as discarded by the operator.
    fn seek(&mut self, p: i32, tenths: i64) {
        let to = self.position[&p] * tenths / 10;
        let passed = std::iter::successors(Some(next_offset(0)), |at| Some(next_offset(at + 1)))
            .take_while(|at| *at < to);
        self.given_up.entry(p).or_default().extend(passed);
        *self.generation.entry(p).or_default() += 1;
        self.held.remove(&p);
        self.deliveries.remove(&p);
        self.position.insert(p, to);
        self.committed.insert(p, to);
        self.step(StreamInput::Sought(partition(p), to));
        assert_eq!(
            self.machine.position(partition(p)),
            Some(Position {
                first_held: None,
                next: Some(to)
            })
        );
    }

    fn skip(&mut self, p: i32) {
        let Some(first) = self.held.get(&p).and_then(|held| held.first().copied()) else {
            return self.step(StreamInput::Skip(partition(p), 0));
        };
        self.step(StreamInput::Skip(partition(p), first + 1));
        assert_eq!(
            self.machine
                .position(partition(p))
                .and_then(|position| position.first_held),
            Some(first),
            "it is another one"
        );
        *self.generation.entry(p).or_default() += 1;
        let waited = self.deliveries.remove(&p).is_some();
        self.step(StreamInput::Skip(partition(p), first));
        let over = self
            .given_up
            .get(&p)
            .is_some_and(|over| over.contains(&first));
        assert!(
            over || (!waited
                && self
                    .deliveries
                    .get(&p)
                    .is_some_and(|slice| slice.last == first)),
            "it is passed or on its way"
        );
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Deliver {
                partition,
                records,
                size,
            } => self.deliver(*partition, *records, *size),
            Event::Post { taken } => self.end_delivery(*taken),
            Event::Finished { which, how } => self.finish(*which, how),
            Event::Rebalance { partition, lost } => self.rebalance(*partition, *lost),
            Event::CommitFails { partition: p } => {
                self.step(StreamInput::CommitFailed(&[partition(*p)]));
            }
            Event::Seek { partition, tenths } => self.seek(*partition, *tenths),
            Event::Skip { partition } => self.skip(*partition),
            Event::Pass { milliseconds } => {
                self.now += milliseconds;
                self.step(StreamInput::Tick);
            }
        }
    }

    /// With a healthy function every held record ends as done and is committed.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if let Some(wake) = self.machine.wake() {
                self.now = self.now.max(wake);
            } else if self.in_flight.is_empty() && self.deliveries.is_empty() {
                break;
            }
            self.step(StreamInput::Tick);
            self.end_delivery(true);
            self.finish(0, &How::Success);
        }
        assert!(
            self.held.values().all(Vec::is_empty),
            "records are stuck: {:?}",
            self.held
        );
        for p in 0..PARTITIONS {
            let last = self
                .done
                .get(&p)
                .into_iter()
                .chain(self.given_up.get(&p))
                .flatten()
                .max();
            assert!(
                last.is_none_or(|last| self.committed[&p] > *last || self.position[&p] <= *last),
                "partition {p} is done but not committed"
            );
        }
    }
}
