//! When events are tried, tried again and given up: no store, no function, no clock.
//!
//! Lambda's rules ("How Lambda handles errors and retries with asynchronous invocation"): a function error is tried again
//! after one and after two minutes; a throttled try, or one that failed before the function began, uses up nothing and comes
//! back with growing waits; an event older than the function's maximum age is given up, and so is one of a function that may
//! not run at all. In every case the destinations of that end are told.

use crate::Millis;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::entry::{AcceptedEvent, Condition, EventDestination, EventId, EventStage};

/// Records on their way to destinations at one time.
const MAX_DELIVERIES: usize = 16;

/// What a function's template says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvokePolicy {
    /// Tries after the first.
    pub max_retries: u32,
    /// An event older than this is given up.
    pub max_age: Millis,
    /// Invocations at one time.
    pub concurrency: usize,
    /// Who is told of success.
    pub on_success: Vec<EventDestination>,
    /// Who is told when an event is given up.
    pub on_failure: Vec<EventDestination>,
}

/// How long it is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryTiming {
    /// Before the first and before the second retry after a function error.
    pub retries: [Millis; 2],
    /// After the first try that did not begin, or the first record that was not taken; doubled each time.
    pub backoff: Millis,
    /// The longest such wait.
    pub max_backoff: Millis,
}

impl RetryTiming {
    /// As Lambda waits: one and two minutes; 1 s doubling to 5 minutes.
    pub const AWS: Self = Self {
        retries: [60_000, 120_000],
        backoff: 1_000,
        max_backoff: 300_000,
    };
    /// For a person who waits.
    pub const SHORT: Self = Self {
        retries: [1_000, 2_000],
        backoff: 100,
        max_backoff: 5_000,
    };

    fn after(&self, tries: u32) -> Millis {
        self.backoff
            .saturating_mul(1 << tries.min(30))
            .min(self.max_backoff)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsyncInput {
    /// An event is on disk: new, or found there at the start.
    Accepted(EventId, AcceptedEvent),
    /// A try ended.
    Finished(EventId, AttemptResult),
    /// A record reached its destination, or did not.
    Delivered(EventId, EventDestination, bool),
    /// The function may have so many invocations at one time from now on.
    Limited(String, usize),
    /// Time passed.
    Tick,
    /// Begin nothing more.
    Drain,
    /// Who applied the actions is gone: what was begun counts as not begun.
    Restarted,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// The function answered.
    Answered,
    /// The function failed.
    Failed,
    /// The function did not begin.
    NotBegun,
    /// The function may not run, or can never take this event.
    Never,
    /// The host ended it; it counts as not tried.
    Stopped,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsyncAction {
    /// Run the function.
    Invoke(EventId),
    /// Tell a destination.
    Deliver(EventId, EventDestination),
    /// Keep this state of the event; before any action on it that follows.
    Save(EventId, AcceptedEvent),
    /// The event is done with.
    Forget(EventId),
    /// It was given up, and nobody is to be told: function, request id, and why.
    Lost(String, String, Condition),
}

#[derive(Debug, Default)]
struct Line {
    /// Due and not running, oldest first.
    ready: BTreeSet<EventId>,
    running: BTreeSet<EventId>,
}

/// A record on its way to one destination.
type Letter = (EventId, EventDestination);

/// What a time is waited for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The event is due, or too old. One that moved on meanwhile is left alone.
    Event(EventId),
    /// The destination is asked again.
    Letter(Letter),
}

/// The state of all events.
#[derive(Debug)]
pub struct AsyncMachine {
    policies: BTreeMap<String, EventInvokePolicy>,
    timing: RetryTiming,
    entries: HashMap<EventId, AcceptedEvent>,
    lines: BTreeMap<String, Line>,
    timers: BTreeSet<(Millis, Timer)>,
    outgoing: BTreeSet<Letter>,
    /// Times that a letter was not taken.
    refused: BTreeMap<Letter, u32>,
    delivering: usize,
    draining: bool,
}

impl AsyncMachine {
    /// `policies` by the function's logical id. Events of other functions are kept and left alone.
    pub fn new(policies: BTreeMap<String, EventInvokePolicy>, timing: RetryTiming) -> Self {
        Self {
            policies,
            timing,
            entries: HashMap::new(),
            lines: BTreeMap::new(),
            timers: BTreeSet::new(),
            outgoing: BTreeSet::new(),
            refused: BTreeMap::new(),
            delivering: 0,
            draining: false,
        }
    }

    /// Takes what happened, and adds what is to be done to `actions`.
    pub fn step(&mut self, now: Millis, input: AsyncInput, actions: &mut Vec<AsyncAction>) {
        match input {
            AsyncInput::Accepted(id, entry) => self.accepted(id, entry),
            AsyncInput::Finished(id, finish) => self.finished(now, id, finish, actions),
            AsyncInput::Delivered(id, target, taken) => {
                self.delivered(now, (id, target), taken, actions);
            }
            AsyncInput::Limited(function, most) => {
                if let Some(policy) = self.policies.get_mut(&function) {
                    policy.concurrency = most;
                }
            }
            AsyncInput::Tick => {}
            AsyncInput::Drain => self.draining = true,
            AsyncInput::Restarted => self.restarted(),
        }
        self.look_at_the_clock(now, actions);
        if !self.draining {
            self.begin(actions);
        }
    }

    /// When to step next if nothing happens before; may be in the past.
    pub fn wake(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// An event that is not done with.
    pub fn entry(&self, id: EventId) -> Option<&AcceptedEvent> {
        self.entries.get(&id)
    }

    /// Events that are not done with.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every event that is not done with, those of unknown functions included, and whether it runs now.
    pub fn overview(&self) -> impl Iterator<Item = (&AcceptedEvent, bool)> {
        self.entries.iter().map(|(id, entry)| {
            let running = self
                .lines
                .get(&entry.function)
                .is_some_and(|line| line.running.contains(id));
            (entry, running)
        })
    }

    fn accepted(&mut self, id: EventId, entry: AcceptedEvent) {
        if let Some(policy) = self.policies.get(&entry.function) {
            match &entry.stage {
                EventStage::Waiting { due, .. } => {
                    self.timers.insert((*due, Timer::Event(id)));
                    self.timers
                        .insert((entry.accepted + policy.max_age, Timer::Event(id)));
                }
                EventStage::Ended { targets, .. } => self
                    .outgoing
                    .extend(targets.iter().map(|target| (id, target.clone()))),
            }
        }
        self.entries.insert(id, entry);
    }

    /// As after a start: every event waits for its time, or for its destinations.
    fn restarted(&mut self) {
        self.lines.clear();
        self.timers.clear();
        self.outgoing.clear();
        self.refused.clear();
        self.delivering = 0;
        for (id, entry) in std::mem::take(&mut self.entries) {
            self.accepted(id, entry);
        }
    }

    fn finished(
        &mut self,
        now: Millis,
        id: EventId,
        finish: AttemptResult,
        actions: &mut Vec<AsyncAction>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let (Some(line), Some(policy)) = (
            self.lines.get_mut(&entry.function),
            self.policies.get(&entry.function),
        ) else {
            return;
        };
        if !line.running.remove(&id) {
            return;
        }
        let EventStage::Waiting {
            failed, delayed, ..
        } = entry.stage
        else {
            return;
        };
        let again = |failed, delayed, due| EventStage::Waiting {
            failed,
            delayed,
            due,
        };
        match finish {
            AttemptResult::Answered => {
                entry.invoked += 1;
                self.end(now, id, Condition::Success, actions);
                return;
            }
            AttemptResult::Failed => {
                entry.invoked += 1;
                if failed >= policy.max_retries {
                    self.end(now, id, Condition::RetriesExhausted, actions);
                    return;
                }
                let wait =
                    self.timing.retries[(failed as usize).min(self.timing.retries.len() - 1)];
                entry.stage = again(failed + 1, 0, now + wait);
            }
            AttemptResult::NotBegun => {
                entry.stage = again(failed, delayed + 1, now + self.timing.after(delayed));
            }
            AttemptResult::Never => {
                self.end(now, id, Condition::RetriesExhausted, actions);
                return;
            }
            AttemptResult::Stopped => entry.stage = again(failed, delayed, now),
        }
        if let EventStage::Waiting { due, .. } = entry.stage {
            self.timers.insert((due, Timer::Event(id)));
        }
        actions.push(AsyncAction::Save(id, entry.clone()));
    }

    /// The event has run, or will not run again; what is left is to tell of it.
    fn end(
        &mut self,
        now: Millis,
        id: EventId,
        condition: Condition,
        actions: &mut Vec<AsyncAction>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(policy) = self.policies.get(&entry.function) else {
            return;
        };
        if let EventStage::Waiting { due, .. } = entry.stage {
            // or one for each event of the last hours would be kept
            self.timers.remove(&(due, Timer::Event(id)));
            self.timers
                .remove(&(entry.accepted + policy.max_age, Timer::Event(id)));
        }
        let targets = if condition == Condition::Success {
            &policy.on_success
        } else {
            &policy.on_failure
        };
        if targets.is_empty() {
            if condition != Condition::Success {
                actions.push(AsyncAction::Lost(
                    entry.function.clone(),
                    entry.request_id.clone(),
                    condition,
                ));
            }
            self.entries.remove(&id);
            actions.push(AsyncAction::Forget(id));
            return;
        }
        entry.stage = EventStage::Ended {
            condition,
            at: now,
            targets: targets.clone(),
        };
        self.outgoing
            .extend(targets.iter().map(|target| (id, target.clone())));
        actions.push(AsyncAction::Save(id, entry.clone()));
    }

    fn delivered(
        &mut self,
        now: Millis,
        letter: Letter,
        taken: bool,
        actions: &mut Vec<AsyncAction>,
    ) {
        self.delivering = self.delivering.saturating_sub(1);
        let tries = self.refused.remove(&letter).unwrap_or_default();
        if !taken {
            self.timers.insert((
                now + self.timing.after(tries),
                Timer::Letter(letter.clone()),
            ));
            self.refused.insert(letter, tries.saturating_add(1));
            return;
        }
        let (id, target) = letter;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let EventStage::Ended { targets, .. } = &mut entry.stage else {
            return;
        };
        targets.retain(|left| *left != target);
        if targets.is_empty() {
            self.entries.remove(&id);
            actions.push(AsyncAction::Forget(id));
        } else {
            actions.push(AsyncAction::Save(id, entry.clone()));
        }
    }

    fn look_at_the_clock(&mut self, now: Millis, actions: &mut Vec<AsyncAction>) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            match self.timers.pop_first() {
                Some((_, Timer::Letter(letter))) => drop(self.outgoing.insert(letter)),
                Some((_, Timer::Event(id))) => self.look_at(now, id, actions),
                None => {}
            }
        }
    }

    /// An event may have become due, or too old.
    fn look_at(&mut self, now: Millis, id: EventId, actions: &mut Vec<AsyncAction>) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        let (EventStage::Waiting { due, .. }, Some(policy)) =
            (&entry.stage, self.policies.get(&entry.function))
        else {
            return;
        };
        let line = self.lines.entry(entry.function.clone()).or_default();
        if line.running.contains(&id) {
            return;
        }
        if now >= entry.accepted + policy.max_age {
            line.ready.remove(&id);
            self.end(now, id, Condition::EventAgeExceeded, actions);
        } else if now >= *due {
            line.ready.insert(id);
        }
    }

    fn begin(&mut self, actions: &mut Vec<AsyncAction>) {
        for (function, line) in &mut self.lines {
            // a function that may not run is asked all the same: it says so, and its event ends
            let most = self
                .policies
                .get(function)
                .map_or(0, |policy| policy.concurrency.max(1));
            while line.running.len() < most
                && let Some(id) = line.ready.pop_first()
            {
                line.running.insert(id);
                actions.push(AsyncAction::Invoke(id));
            }
        }
        while self.delivering < MAX_DELIVERIES
            && let Some((id, target)) = self.outgoing.pop_first()
        {
            self.delivering += 1;
            actions.push(AsyncAction::Deliver(id, target));
        }
    }
}
