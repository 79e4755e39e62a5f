//! Applies the events of a random run to the model.

use super::case_tests::partition;
use super::model_for_tests::{PARTITIONS, StreamEnding, StreamEvent, StreamModel, next_offset};
use super::*;

impl StreamModel {
    /// Ends one delivery.
    pub(super) fn end_delivery(&mut self, taken: bool) {
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

    pub(super) fn finish(&mut self, which: usize, how: &StreamEnding) {
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
                StreamEnding::Success => self.done.entry(p).or_default().extend(front),
                StreamEnding::Partial(at) => {
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
                StreamEnding::Nonsense => failures.push(FailedRecord {
                    partition: slice.partition,
                    offset: slice.last + 1,
                }),
                StreamEnding::Failed | StreamEnding::NotInvoked => {}
            }
        }
        if matches!(how, StreamEnding::Nonsense) && failures.is_empty() {
            failures.push(FailedRecord {
                partition: partition(99),
                offset: 0,
            });
        }
        let finish = match how {
            StreamEnding::Success => StreamBatchResult::Answered(Vec::new()),
            StreamEnding::Failed => StreamBatchResult::Failed,
            StreamEnding::NotInvoked => StreamBatchResult::NotInvoked,
            StreamEnding::Partial(_) | StreamEnding::Nonsense => {
                StreamBatchResult::Answered(failures)
            }
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

    pub(super) fn apply(&mut self, event: &StreamEvent) {
        match event {
            StreamEvent::Deliver {
                partition,
                records,
                size,
            } => self.deliver(*partition, *records, *size),
            StreamEvent::Post { taken } => self.end_delivery(*taken),
            StreamEvent::Finished { which, how } => self.finish(*which, how),
            StreamEvent::Rebalance { partition, lost } => self.rebalance(*partition, *lost),
            StreamEvent::CommitFails { partition: p } => {
                self.step(StreamInput::CommitFailed(&[partition(*p)]));
            }
            StreamEvent::Seek { partition, tenths } => self.seek(*partition, *tenths),
            StreamEvent::Skip { partition } => self.skip(*partition),
            StreamEvent::Pass { milliseconds } => {
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
            self.finish(0, &StreamEnding::Success);
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
