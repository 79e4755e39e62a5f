//! A model of everything around the machine, for the property tests: a group with its pending
//! entries, another consumer, and a function.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::millis;

/// After so long another consumer takes an entry over.
pub(super) const IDLE: Millis = 3_000;

/// An event of a random run.
#[derive(Debug, Clone)]
pub(super) enum GroupEvent {
    /// A producer adds so many entries.
    Add {
        entries: usize,
        content: EntryContent,
    },
    /// The open read returns; `fails`: with an error.
    Read {
        fails: bool,
    },
    /// A request to hold, acknowledge or park ends.
    Answer {
        which: usize,
        fails: bool,
    },
    /// An invocation ends.
    Finished {
        which: usize,
        how: Ending,
    },
    /// The other consumer takes over what has been idle for [`IDLE`].
    TakenOver,
    /// The other consumer processed what it holds, or returned it.
    OtherEnds {
        processed: bool,
    },
    /// This consumer is killed and starts again.
    Crash,
    /// An operator pauses or resumes.
    Pause(bool),
    /// The stream is deleted and created again.
    Recreated,
    Pass {
        milliseconds: i64,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Success,
    Failed,
    NotInvoked,
    /// The entry at this index fails, and the one three behind it.
    Partial(usize),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) mine: bool,
    pub(super) deliveries: u32,
    pub(super) idle_since: Millis,
}

/// An open request of the machine.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Hold(Vec<(EntryKey, u32)>),
    Count(Vec<(EntryKey, u32)>),
    Acknowledge(Vec<EntryKey>),
    Park(Vec<(EntryKey, ParkReason)>),
}

/// The expected state of driver, group and function, and the machine under test.
pub(super) struct GroupModel {
    pub(super) machine: RedisStreamMachine,
    pub(super) settings: RedisStreamSettings,
    pub(super) now: Millis,
    pub(super) contents: BTreeMap<EntryKey, EntryContent>,
    pub(super) undelivered: BTreeSet<EntryKey>,
    pub(super) pending: BTreeMap<EntryKey, Pending>,
    pub(super) parked: BTreeSet<EntryKey>,
    pub(super) acknowledged: BTreeSet<EntryKey>,
    pub(super) reading: Option<usize>,
    pub(super) requests: Vec<Request>,
    pub(super) in_flight: BTreeMap<InvocationId, Vec<(EntryKey, u32)>>,
    /// Entries that may be acknowledged, by an invocation of this process.
    pub(super) succeeded: BTreeSet<EntryKey>,
    /// Failed attempts of an entry in this process.
    pub(super) failures: BTreeMap<EntryKey, u32>,
    /// Entries whose count of deliveries grew otherwise: by a crash or another consumer.
    pub(super) disturbed: BTreeSet<EntryKey>,
    /// Entries that this process did not read again since the stream was created again.
    pub(super) void: BTreeSet<EntryKey>,
    pub(super) paused: bool,
    pub(super) draining: bool,
}

impl GroupModel {
    pub(super) fn new(settings: RedisStreamSettings) -> Self {
        let mut model = Self {
            machine: RedisStreamMachine::new(settings.clone()),
            settings,
            now: 1_000_000,
            contents: BTreeMap::new(),
            undelivered: BTreeSet::new(),
            pending: BTreeMap::new(),
            parked: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            reading: None,
            requests: Vec::new(),
            in_flight: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            failures: BTreeMap::new(),
            disturbed: BTreeSet::new(),
            void: BTreeSet::new(),
            paused: false,
            draining: false,
        };
        model.step(RedisStreamInput::Tick);
        model
    }

    pub(super) fn step(&mut self, input: RedisStreamInput) {
        let mut actions = Vec::new();
        self.machine.step(self.now, input, &mut actions);
        for action in actions {
            self.execute(action);
        }
        assert!(
            self.machine.wake().is_none_or(|at| at > self.now),
            "what is due is done"
        );
    }

    fn execute(&mut self, action: RedisStreamAction) {
        match action {
            RedisStreamAction::Read { max, wait } => {
                assert!(self.reading.is_none() && !self.paused && !self.draining && max > 0);
                let free = self.settings.concurrency - self.in_flight.len();
                assert!(max <= free * self.settings.batch_size && max <= self.settings.max_read);
                assert!(wait <= self.settings.poll);
                self.reading = Some(max);
            }
            RedisStreamAction::Invoke(id, entries) => self.invoked(id, entries),
            RedisStreamAction::Hold(entries) => {
                let open = |request: &Request| matches!(request, Request::Hold(_));
                assert!(!entries.is_empty() && !self.requests.iter().any(open));
                self.requests.push(Request::Hold(entries));
            }
            RedisStreamAction::Count(entries) => self.requests.push(Request::Count(entries)),
            RedisStreamAction::Acknowledge(keys) => {
                for key in &keys {
                    let filtered = self.contents[key] == EntryContent::Filtered;
                    assert!(
                        filtered || self.succeeded.contains(key),
                        "{key:?} acknowledged"
                    );
                }
                self.requests.push(Request::Acknowledge(keys));
            }
            RedisStreamAction::Park(entries) => {
                for (key, reason) in &entries {
                    self.may_park(*key, *reason);
                }
                self.requests.push(Request::Park(entries));
            }
        }
    }

    fn invoked(&mut self, id: InvocationId, entries: Vec<(EntryKey, u32)>) {
        let settings = &self.settings;
        assert!(!self.paused && !self.draining && !entries.is_empty());
        assert!(self.in_flight.len() < settings.concurrency);
        assert!(entries.len() <= settings.batch_size);
        let mut bytes = settings.envelope;
        for (key, attempt) in &entries {
            let EntryContent::Record(size) = self.contents[key] else {
                panic!("{key:?} has no record");
            };
            bytes += size;
            assert!(
                !self.succeeded.contains(key),
                "{key:?} invoked after its success"
            );
            let busy = |batch: &Vec<(EntryKey, u32)>| batch.iter().any(|(other, _)| other == key);
            assert!(
                !self.in_flight.values().any(busy),
                "{key:?} invoked twice at once"
            );
            let failures = self.failures.get(key).copied().unwrap_or(0);
            assert!(*attempt > failures);
            assert!(
                self.disturbed.contains(key) || *attempt == failures + 1,
                "{key:?}"
            );
            let max_age = settings.max_age.map(millis);
            assert!(max_age.is_none_or(|age| self.now - key.0 as Millis <= age));
        }
        assert!(
            bytes <= settings.max_payload || entries.len() == 1,
            "{bytes}"
        );
        self.in_flight.insert(id, entries);
    }

    fn may_park(&self, key: EntryKey, reason: ParkReason) {
        match reason {
            ParkReason::Unreadable => {
                assert_eq!(self.contents[&key], EntryContent::Unreadable);
            }
            ParkReason::TooOld => {
                let max_age = millis(self.settings.max_age.expect("a maximum age"));
                assert!(self.now - key.0 as Millis > max_age);
            }
            ParkReason::RetriesExhausted(attempts) => {
                let retries = self.settings.max_retries.expect("a maximum of retries");
                let failures = self.failures[&key];
                assert!(attempts > retries && failures > 0);
                assert!(self.disturbed.contains(&key) || failures == retries + 1);
            }
        }
    }

    pub(super) fn apply(&mut self, event: &GroupEvent) {
        match *event {
            GroupEvent::Add { entries, content } => {
                for _ in 0..entries {
                    let key = (self.now as u64, self.contents.len() as u64);
                    self.contents.insert(key, content);
                    self.undelivered.insert(key);
                }
            }
            GroupEvent::Read { fails } => self.read(fails),
            GroupEvent::Answer { which, fails } if which < self.requests.len() => {
                let request = self.requests.remove(which);
                self.answer(request, fails);
            }
            GroupEvent::Finished { which, how } => self.finish(which, how),
            GroupEvent::TakenOver => {
                for (key, pending) in &mut self.pending {
                    if self.now - pending.idle_since >= IDLE {
                        (pending.mine, pending.idle_since) = (false, self.now);
                        pending.deliveries += 1;
                        self.disturbed.insert(*key);
                    }
                }
            }
            GroupEvent::OtherEnds { processed } => {
                let others = self.pending.iter_mut().filter(|(_, pending)| !pending.mine);
                let mut ended = Vec::new();
                for (key, pending) in others {
                    pending.idle_since = self.now - IDLE;
                    ended.push(*key);
                }
                if processed {
                    for key in ended {
                        self.pending.remove(&key);
                        self.acknowledged.insert(key);
                    }
                }
            }
            GroupEvent::Crash => self.crash(),
            GroupEvent::Pause(paused) => self.pause(paused),
            GroupEvent::Recreated => {
                let gone = std::mem::take(&mut self.pending).into_keys();
                let gone = gone.chain(std::mem::take(&mut self.undelivered));
                self.void.extend(gone);
                self.requests.clear();
                self.step(RedisStreamInput::Recreated);
            }
            GroupEvent::Pass { milliseconds } => {
                let until = self.now + milliseconds;
                while let Some(at) = self.machine.wake().filter(|at| *at <= until) {
                    self.now = at;
                    self.step(RedisStreamInput::Tick);
                }
                self.now = until;
            }
            GroupEvent::Answer { .. } => {}
        }
    }
}
