//! A model of everything around the machine, for the property tests.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::Millis;

/// An event of a random run.
#[derive(Debug, Clone)]
pub(super) enum QueueEvent {
    /// A request returns up to so many messages.
    Answer {
        which: usize,
        messages: usize,
        size: usize,
    },
    /// A request fails.
    Fail {
        which: usize,
    },
    /// An instance begins an invocation.
    Begin {
        which: usize,
    },
    /// An invocation ends.
    Finished {
        which: usize,
        how: QueueEnding,
    },
    Pass {
        milliseconds: i64,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum QueueEnding {
    Success,
    Failed,
    NotInvoked,
    /// The message at this index fails, and the one three behind it.
    Partial(usize),
}

/// A received message.
#[derive(Debug, Clone)]
struct ReceivedMessage {
    size: usize,
    group: Option<Arc<str>>,
    since: Millis,
    /// End of its visibility timeout.
    hidden_until: Millis,
}

/// The expected state of the driver and the queue, and the machine under test.
pub(super) struct QueueModel {
    machine: QueueMachine,
    limits: QueueSettings,
    fifo: bool,
    now: Millis,
    next_key: MessageKey,
    receives: BTreeMap<ReceiveId, usize>,
    /// Received, neither at the function nor settled.
    held: BTreeMap<MessageKey, ReceivedMessage>,
    in_flight: BTreeMap<InvocationId, Vec<(MessageKey, ReceivedMessage)>>,
    begun: BTreeSet<InvocationId>,
    /// The expected end of the messages whose invocation ends.
    may_delete: BTreeSet<MessageKey>,
    must_leave: BTreeSet<MessageKey>,
    must_release: BTreeSet<MessageKey>,
    draining: bool,
}

impl QueueModel {
    pub(super) fn new(limits: QueueSettings, fifo: bool) -> Self {
        let mut model = Self {
            machine: QueueMachine::new(limits.clone()),
            limits,
            fifo,
            now: 1_000,
            next_key: 0,
            receives: BTreeMap::new(),
            held: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            begun: BTreeSet::new(),
            may_delete: BTreeSet::new(),
            must_leave: BTreeSet::new(),
            must_release: BTreeSet::new(),
            draining: false,
        };
        model.step(QueueInput::Tick);
        model
    }

    fn step(&mut self, input: QueueInput) {
        let mut actions = Vec::new();
        self.machine.step(self.now, input, &mut actions);
        for action in actions {
            self.execute(action);
        }
        assert!(
            self.may_delete.is_empty()
                && self.must_leave.is_empty()
                && self.must_release.is_empty(),
            "all are settled at once"
        );
        let in_flight = self.in_flight.values().map(Vec::len).sum::<usize>();
        let overview = self.machine.overview();
        assert_eq!(
            (overview.in_flight, overview.held),
            (in_flight, self.held.len())
        );
        let waits = self
            .in_flight
            .iter()
            .filter(|(id, _)| !self.begun.contains(id))
            .flat_map(|(_, batch)| batch.iter().map(|(_, k)| k));
        assert!(
            waits
                .chain(self.held.values())
                .all(|known| self.now < known.hidden_until),
            "shown while it waits"
        );
        assert!(
            self.machine.wake().is_none_or(|at| at > self.now),
            "what is due is done"
        );
        if self.draining {
            return;
        }
        let free = self.in_flight.len() < self.limits.concurrency;
        let window = self.limits.window.as_millis() as Millis;
        assert!(
            !free
                || self
                    .held
                    .values()
                    .all(|known| self.now < known.since + window),
            "waits beyond its window beside a free permit"
        );
        assert!(
            !self.receives.is_empty()
                || !self.in_flight.is_empty()
                || self.machine.wake().is_some(),
            "asleep for ever"
        );
    }

    fn execute(&mut self, action: QueueAction) {
        match action {
            QueueAction::Receive { id, max, wait } => {
                assert!(
                    !self.draining && (1..=MAX_RECEIVED).contains(&max) && wait <= self.limits.poll
                );
                assert!(self.receives.insert(id, max).is_none());
                assert!(self.receives.len() <= self.limits.max_receives);
                let free = self.limits.concurrency - self.in_flight.len();
                if self.limits.window.is_zero() {
                    assert!(self.receives.len() <= free, "a permit for every request");
                } else {
                    let requested: usize = self.receives.values().sum();
                    assert!(
                        requested + self.held.len() <= free * self.limits.batch_size,
                        "permits for all that may come"
                    );
                }
            }
            QueueAction::Invoke { id, batch } => {
                assert!(self.in_flight.len() < self.limits.concurrency && !batch.is_empty());
                let batch: Vec<(MessageKey, ReceivedMessage)> = batch
                    .into_iter()
                    .map(|key| (key, self.held.remove(&key).expect("held")))
                    .collect();
                assert!(
                    batch.len() <= self.limits.batch_size
                        && batch.is_sorted_by_key(|(key, _)| *key)
                );
                let bytes =
                    self.limits.envelope + batch.iter().map(|(_, known)| known.size).sum::<usize>();
                assert!(
                    bytes <= self.limits.max_payload || batch.len() == 1,
                    "{bytes}"
                );
                let group = |(_, known): &(MessageKey, ReceivedMessage)| known.group.clone();
                let here: BTreeSet<_> = batch.iter().filter_map(group).collect();
                assert!(
                    !self
                        .in_flight
                        .values()
                        .flatten()
                        .filter_map(group)
                        .any(|group| here.contains(&group)),
                    "a group twice at once"
                );
                self.in_flight.insert(id, batch);
            }
            QueueAction::Extend(keys) => {
                let until = self.now + self.limits.hidden.as_millis() as Millis;
                let known = self
                    .in_flight
                    .values_mut()
                    .flatten()
                    .map(|(key, known)| (*key, known));
                let known = known.chain(self.held.iter_mut().map(|(key, known)| (*key, known)));
                known
                    .filter(|(key, _)| keys.contains(key))
                    .for_each(|(_, known)| known.hidden_until = until);
            }
            QueueAction::Delete(keys) => keys
                .iter()
                .for_each(|key| assert!(self.may_delete.remove(key), "{key} deleted")),
            QueueAction::Leave(keys) => keys
                .iter()
                .for_each(|key| assert!(self.must_leave.remove(key), "{key} left")),
            QueueAction::Release(keys) => {
                for key in keys {
                    assert!(
                        self.must_release.remove(&key) || self.held.remove(&key).is_some(),
                        "{key} released"
                    );
                }
            }
        }
    }

    pub(super) fn apply(&mut self, event: &QueueEvent) {
        match *event {
            QueueEvent::Answer {
                which,
                messages,
                size,
            } => {
                let Some((id, most)) = self
                    .receives
                    .iter()
                    .nth(which)
                    .map(|(id, most)| (*id, *most))
                else {
                    return;
                };
                self.receives.remove(&id);
                let mut arrived = Vec::new();
                for n in 0..messages.min(most) {
                    let group: Option<Arc<str>> =
                        self.fifo.then(|| format!("group {}", n % 3).into());
                    // a queue holds a group back while a message of it is hidden
                    let hidden = self
                        .in_flight
                        .values()
                        .flatten()
                        .map(|(_, known)| known)
                        .chain(self.held.values());
                    if self.fifo
                        && hidden
                            .into_iter()
                            .any(|known| known.group == group && known.since < self.now)
                    {
                        continue;
                    }
                    self.next_key += 1;
                    let hidden_until = self.now + self.limits.hidden.as_millis() as Millis;
                    self.held.insert(
                        self.next_key,
                        ReceivedMessage {
                            size,
                            group: group.clone(),
                            since: self.now,
                            hidden_until,
                        },
                    );
                    arrived.push(QueueMessage {
                        key: self.next_key,
                        size,
                        group,
                    });
                }
                self.step(QueueInput::Received(id, arrived));
                // distinguishes later messages from hidden ones
                self.now += 1;
            }
            QueueEvent::Fail { which } => {
                let Some(id) = self.receives.keys().nth(which).copied() else {
                    return;
                };
                self.receives.remove(&id);
                self.step(QueueInput::ReceiveFailed(id));
            }
            QueueEvent::Begin { which } => {
                let Some(id) = self.in_flight.keys().nth(which).copied() else {
                    return;
                };
                self.begun.insert(id);
                self.step(QueueInput::Begun(id));
                let timeout = self.limits.timeout.as_millis() as Millis;
                // a wait of under half a second costs no request
                assert!(
                    self.in_flight[&id]
                        .iter()
                        .all(|(_, known)| known.hidden_until + 500 > self.now + timeout)
                );
            }
            QueueEvent::Finished { which, how } => {
                let Some(id) = self.in_flight.keys().nth(which).copied() else {
                    return;
                };
                let batch = self.in_flight.remove(&id).unwrap();
                let keys = batch.iter().map(|(key, _)| *key);
                let finish = match how {
                    QueueEnding::Success => QueueBatchResult::Answered(Vec::new()),
                    QueueEnding::Failed => QueueBatchResult::Failed,
                    QueueEnding::NotInvoked => QueueBatchResult::NotInvoked,
                    QueueEnding::Partial(at) => QueueBatchResult::Answered(
                        keys.clone().skip(at).step_by(3).take(2).collect(),
                    ),
                };
                match &finish {
                    QueueBatchResult::Failed => self.must_leave.extend(keys),
                    QueueBatchResult::NotInvoked => self.must_release.extend(keys),
                    QueueBatchResult::Answered(failed) => {
                        let mut stopped = BTreeSet::new();
                        for (key, known) in &batch {
                            let behind = known
                                .group
                                .as_ref()
                                .is_some_and(|group| stopped.contains(group));
                            if behind || failed.contains(key) {
                                stopped.extend(known.group.clone());
                                self.must_leave.insert(*key);
                            } else {
                                self.may_delete.insert(*key);
                            }
                        }
                    }
                }
                self.step(QueueInput::Finished(id, finish));
            }
            QueueEvent::Pass { milliseconds } => {
                let until = self.now + milliseconds;
                while let Some(at) = self.machine.wake().filter(|at| *at <= until) {
                    self.now = at;
                    self.step(QueueInput::Tick);
                }
                self.now = until;
            }
        }
    }

    /// Drains, and ends everything in progress.
    pub(super) fn end(mut self) {
        self.draining = true;
        self.step(QueueInput::Drain);
        while !self.receives.is_empty() {
            self.apply(&QueueEvent::Answer {
                which: 0,
                messages: 3,
                size: 10,
            });
        }
        while !self.in_flight.is_empty() {
            self.apply(&QueueEvent::Finished {
                which: 0,
                how: QueueEnding::Success,
            });
        }
        assert!(self.machine.is_idle() && self.held.is_empty());
    }
}
