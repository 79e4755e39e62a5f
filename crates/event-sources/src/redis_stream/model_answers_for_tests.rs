//! The model's answers: what the group, the function and the operator do.

use super::model_for_tests::{Ending, GroupEvent, GroupModel, IDLE, Pending, Request};
use super::*;

impl GroupModel {
    /// As the client reads: first what has been idle, its own entries included, then new ones.
    pub(super) fn read(&mut self, fails: bool) {
        let Some(max) = self.reading.take() else {
            return;
        };
        if fails {
            return self.step(RedisStreamInput::ReadFailed);
        }
        let idle = |pending: &Pending| self.now - pending.idle_since >= IDLE;
        let mut found: Vec<EntryKey> = self
            .pending
            .iter()
            .filter(|(_, pending)| idle(pending))
            .map(|(key, _)| *key)
            .collect();
        if found.is_empty() {
            found.extend(&self.undelivered);
        } else {
            self.disturbed.extend(&found);
        }
        found.truncate(max);
        let mut entries = Vec::new();
        for key in found {
            self.undelivered.remove(&key);
            let fresh = Pending {
                mine: true,
                deliveries: 0,
                idle_since: self.now,
            };
            let pending = self.pending.entry(key).or_insert(fresh);
            (pending.mine, pending.idle_since) = (true, self.now);
            pending.deliveries += 1;
            entries.push(DeliveredEntry {
                key,
                deliveries: pending.deliveries,
                content: self.contents[&key],
            });
        }
        self.step(RedisStreamInput::Read(entries));
    }

    pub(super) fn answer(&mut self, request: Request, fails: bool) {
        match request {
            Request::Hold(_) if fails => self.step(RedisStreamInput::HoldFailed),
            Request::Hold(entries) => {
                let lost = self.hold(&entries);
                self.step(RedisStreamInput::Held(lost));
            }
            Request::Count(_) if fails => self.step(RedisStreamInput::CountFailed),
            Request::Count(entries) => {
                let lost = self.hold(&entries);
                self.step(RedisStreamInput::Counted(lost));
            }
            Request::Acknowledge(keys) if fails => self.step(RedisStreamInput::SettleFailed(keys)),
            Request::Acknowledge(keys) => {
                for key in &keys {
                    self.pending.remove(key);
                    self.acknowledged.insert(*key);
                }
                self.step(RedisStreamInput::Settled(keys));
            }
            Request::Park(entries) => {
                let keys: Vec<EntryKey> = entries.iter().map(|(key, _)| *key).collect();
                if fails {
                    return self.step(RedisStreamInput::SettleFailed(keys));
                }
                for key in &keys {
                    if self.pending.get(key).is_some_and(|pending| pending.mine) {
                        self.pending.remove(key);
                        assert!(self.parked.insert(*key), "parked twice");
                    }
                }
                self.step(RedisStreamInput::Settled(keys));
            }
        }
    }

    /// Returns the entries that this consumer does not hold.
    fn hold(&mut self, entries: &[(EntryKey, u32)]) -> Vec<EntryKey> {
        let mut lost = Vec::new();
        for (key, deliveries) in entries {
            match self.pending.get_mut(key).filter(|pending| pending.mine) {
                Some(pending) => {
                    (pending.deliveries, pending.idle_since) = (*deliveries, self.now);
                }
                None => lost.push(*key),
            }
        }
        lost
    }

    pub(super) fn finish(&mut self, which: usize, how: Ending) {
        let Some(id) = self.in_flight.keys().nth(which).copied() else {
            return;
        };
        let batch = self.in_flight.remove(&id).expect("in flight");
        let keys = batch.iter().map(|(key, _)| *key);
        let result = match how {
            Ending::Success => RedisStreamBatchResult::Answered(Vec::new()),
            Ending::Failed => RedisStreamBatchResult::Failed,
            Ending::NotInvoked => RedisStreamBatchResult::NotInvoked,
            Ending::Partial(at) => {
                RedisStreamBatchResult::Answered(keys.clone().skip(at).step_by(3).take(2).collect())
            }
        };
        let bisected = self.settings.bisect && batch.len() > 1;
        for key in keys.filter(|key| !self.void.contains(key)) {
            match &result {
                RedisStreamBatchResult::Answered(failed) if !failed.contains(&key) => {
                    self.succeeded.insert(key);
                }
                RedisStreamBatchResult::Failed if bisected => {}
                RedisStreamBatchResult::NotInvoked => {}
                _ => *self.failures.entry(key).or_default() += 1,
            }
        }
        self.step(RedisStreamInput::Finished(id, result));
    }

    pub(super) fn crash(&mut self) {
        self.machine = RedisStreamMachine::new(self.settings.clone());
        self.reading = None;
        self.requests.clear();
        self.in_flight.clear();
        self.succeeded.clear();
        self.failures.clear();
        self.disturbed.extend(self.pending.keys());
        // the client makes the entries of an earlier run available at once
        for pending in self.pending.values_mut().filter(|pending| pending.mine) {
            pending.idle_since = self.now - IDLE;
        }
        self.paused = false;
        self.step(RedisStreamInput::Tick);
    }

    pub(super) fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.step(RedisStreamInput::Tuned(SourceSettings {
            batch_size: self.settings.batch_size,
            window: self.settings.window,
            concurrency: self.settings.concurrency,
            paused,
            ..SourceSettings::default()
        }));
    }

    /// Answers all requests, ends all invocations, and lets time pass.
    fn settle(&mut self, until: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if until(self) {
                return;
            }
            while !self.requests.is_empty() {
                self.apply(&GroupEvent::Answer {
                    which: 0,
                    fails: false,
                });
            }
            while !self.in_flight.is_empty() {
                self.finish(0, Ending::Success);
            }
            self.apply(&GroupEvent::Read { fails: false });
            self.apply(&GroupEvent::Pass { milliseconds: 500 });
        }
        panic!(
            "something never ends: {:?} {:?}",
            self.machine, self.pending
        );
    }

    /// Every entry ends once the function, Redis and the other consumer behave.
    pub(super) fn end(mut self) {
        self.pause(false);
        self.apply(&GroupEvent::OtherEnds { processed: false });
        self.settle(|model| model.undelivered.is_empty() && model.pending.is_empty());
        for key in self.contents.keys().filter(|key| !self.void.contains(key)) {
            let ends = [&self.parked, &self.acknowledged];
            assert_eq!(
                ends.iter().filter(|end| end.contains(key)).count(),
                1,
                "{key:?}"
            );
        }
    }

    /// A drain ends what has begun, and leaves the rest to the group.
    pub(super) fn drain(mut self) {
        self.draining = true;
        self.step(RedisStreamInput::Drain);
        self.settle(|model| model.machine.is_idle() && model.requests.is_empty());
        let left = self.undelivered.len() + self.pending.len();
        let void = self
            .void
            .iter()
            .filter(|key| !self.parked.contains(key) && !self.acknowledged.contains(key));
        let ended = self.parked.union(&self.acknowledged).count();
        assert_eq!(ended + left + void.count(), self.contents.len());
        assert!(
            self.acknowledged
                .iter()
                .all(|key| !self.pending.contains_key(key))
        );
    }
}
