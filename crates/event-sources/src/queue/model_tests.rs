//! The machine against a simple model: a queue with moods, a function with moods, and a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::case_tests::settings;
use super::*;
use crate::Millis;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    /// One of the requests is answered with up to so many messages of such a size.
    Answer {
        which: usize,
        messages: usize,
        size: usize,
    },
    /// One of the requests fails.
    Fail {
        which: usize,
    },
    /// An instance takes one of the invocations over.
    Begin {
        which: usize,
    },
    /// One of the invocations ends.
    Finished {
        which: usize,
        how: How,
    },
    Pass {
        milliseconds: i64,
    },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Success,
    Failed,
    NotInvoked,
    /// The message at this position fails, and the one three behind it.
    Partial(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let how = prop_oneof![
        4 => Just(How::Success),
        2 => Just(How::Failed),
        1 => Just(How::NotInvoked),
        4 => (0..6_usize).prop_map(How::Partial),
    ];
    prop_oneof![
        6 => (0..4_usize, 0..=MAX_RECEIVED, prop_oneof![3 => Just(10_usize), 1 => Just(300), 1 => Just(2_000)])
            .prop_map(|(which, messages, size)| Event::Answer { which, messages, size }),
        1 => (0..4_usize).prop_map(|which| Event::Fail { which }),
        3 => (0..4_usize).prop_map(|which| Event::Begin { which }),
        5 => (0..4_usize, how).prop_map(|(which, how)| Event::Finished { which, how }),
        3 => (0..3_000_i64).prop_map(|milliseconds| Event::Pass { milliseconds }),
    ]
}

fn limits() -> impl Strategy<Value = QueueSettings> {
    let batch = prop_oneof![
        Just((1, 0)),
        Just((10, 0)),
        Just((10, 2)),
        Just((25, 1)),
        Just((200, 5))
    ];
    (batch, 1..4_usize, 1..5_usize).prop_map(|((batch_size, window), concurrency, max_receives)| {
        QueueSettings {
            batch_size,
            window: Duration::from_secs(window),
            concurrency,
            max_receives,
            ..settings()
        }
    })
}

/// What the world knows of a message that was received.
#[derive(Debug, Clone)]
struct Known {
    size: usize,
    group: Option<Arc<str>>,
    since: Millis,
    /// The queue shows it at this time.
    hidden_until: Millis,
}

/// What the world around the machine knows.
struct World {
    machine: QueueMachine,
    limits: QueueSettings,
    fifo: bool,
    now: Millis,
    next_key: MessageKey,
    receives: BTreeMap<ReceiveId, usize>,
    /// Received, neither at the function nor settled.
    held: BTreeMap<MessageKey, Known>,
    flying: BTreeMap<InvocationId, Vec<(MessageKey, Known)>>,
    begun: BTreeSet<InvocationId>,
    /// What the invocation that ends just now allows.
    may_delete: BTreeSet<MessageKey>,
    must_leave: BTreeSet<MessageKey>,
    must_release: BTreeSet<MessageKey>,
    draining: bool,
}

impl World {
    fn new(limits: QueueSettings, fifo: bool) -> Self {
        let mut world = Self {
            machine: QueueMachine::new(limits.clone()),
            limits,
            fifo,
            now: 1_000,
            next_key: 0,
            receives: BTreeMap::new(),
            held: BTreeMap::new(),
            flying: BTreeMap::new(),
            begun: BTreeSet::new(),
            may_delete: BTreeSet::new(),
            must_leave: BTreeSet::new(),
            must_release: BTreeSet::new(),
            draining: false,
        };
        world.step(QueueInput::Tick);
        world
    }

    fn step(&mut self, input: QueueInput) {
        let mut actions = Vec::new();
        self.machine.step(self.now, input, &mut actions);
        for action in actions {
            self.obey(action);
        }
        assert!(
            self.may_delete.is_empty()
                && self.must_leave.is_empty()
                && self.must_release.is_empty(),
            "all are settled at once"
        );
        let flying = self.flying.values().map(Vec::len).sum::<usize>();
        let overview = self.machine.overview();
        assert_eq!(
            (overview.in_flight, overview.held),
            (flying, self.held.len())
        );
        let waits = self
            .flying
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
        let free = self.flying.len() < self.limits.concurrency;
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
            !self.receives.is_empty() || !self.flying.is_empty() || self.machine.wake().is_some(),
            "asleep for ever"
        );
    }

    fn obey(&mut self, action: QueueAction) {
        match action {
            QueueAction::Receive { id, most, wait } => {
                assert!(
                    !self.draining
                        && (1..=MAX_RECEIVED).contains(&most)
                        && wait <= self.limits.poll
                );
                assert!(self.receives.insert(id, most).is_none());
                assert!(self.receives.len() <= self.limits.max_receives);
                let free = self.limits.concurrency - self.flying.len();
                if self.limits.window.is_zero() {
                    assert!(self.receives.len() <= free, "a permit for every request");
                } else {
                    let asked: usize = self.receives.values().sum();
                    assert!(
                        asked + self.held.len() <= free * self.limits.batch_size,
                        "permits for all that may come"
                    );
                }
            }
            QueueAction::Invoke { id, batch } => {
                assert!(self.flying.len() < self.limits.concurrency && !batch.is_empty());
                let batch: Vec<(MessageKey, Known)> = batch
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
                let group = |(_, known): &(MessageKey, Known)| known.group.clone();
                let here: BTreeSet<_> = batch.iter().filter_map(group).collect();
                assert!(
                    !self
                        .flying
                        .values()
                        .flatten()
                        .filter_map(group)
                        .any(|group| here.contains(&group)),
                    "a group twice at once"
                );
                self.flying.insert(id, batch);
            }
            QueueAction::Extend(keys) => {
                let until = self.now + self.limits.hidden.as_millis() as Millis;
                let known = self
                    .flying
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

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Answer {
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
                        .flying
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
                        Known {
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
                // so that what arrives next can be told from what is hidden
                self.now += 1;
            }
            Event::Fail { which } => {
                let Some(id) = self.receives.keys().nth(which).copied() else {
                    return;
                };
                self.receives.remove(&id);
                self.step(QueueInput::ReceiveFailed(id));
            }
            Event::Begin { which } => {
                let Some(id) = self.flying.keys().nth(which).copied() else {
                    return;
                };
                self.begun.insert(id);
                self.step(QueueInput::Begun(id));
                let timeout = self.limits.timeout.as_millis() as Millis;
                // a wait of under half a second costs no request
                assert!(
                    self.flying[&id]
                        .iter()
                        .all(|(_, known)| known.hidden_until + 500 > self.now + timeout)
                );
            }
            Event::Finished { which, how } => {
                let Some(id) = self.flying.keys().nth(which).copied() else {
                    return;
                };
                let batch = self.flying.remove(&id).unwrap();
                let keys = batch.iter().map(|(key, _)| *key);
                let finish = match how {
                    How::Success => QueueBatchResult::Answered(Vec::new()),
                    How::Failed => QueueBatchResult::Failed,
                    How::NotInvoked => QueueBatchResult::NotInvoked,
                    How::Partial(at) => QueueBatchResult::Answered(
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
            Event::Pass { milliseconds } => {
                let until = self.now + milliseconds;
                while let Some(at) = self.machine.wake().filter(|at| *at <= until) {
                    self.now = at;
                    self.step(QueueInput::Tick);
                }
                self.now = until;
            }
        }
    }

    /// Stops, and lets everything that is under way end.
    fn end(mut self) {
        self.draining = true;
        self.step(QueueInput::Drain);
        while !self.receives.is_empty() {
            self.happen(&Event::Answer {
                which: 0,
                messages: 3,
                size: 10,
            });
        }
        while !self.flying.is_empty() {
            self.happen(&Event::Finished {
                which: 0,
                how: How::Success,
            });
        }
        assert!(self.machine.is_idle() && self.held.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn every_message_is_settled_once_and_no_permit_is_exceeded(limits in limits(), events in prop::collection::vec(event(), 1..120)) {
        let mut world = World::new(limits, false);
        for event in &events {
            world.happen(event);
        }
        world.end();
    }

    #[test]
    fn a_fifo_queue_keeps_the_order_of_its_groups(concurrency in 1..4_usize, events in prop::collection::vec(event(), 1..120)) {
        let mut world = World::new(QueueSettings { concurrency, ..settings() }, true);
        for event in &events {
            world.happen(event);
        }
        world.end();
    }
}
