//! Decides when events are attempted, retried and discarded. No store, no function, no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    AcceptedEvent, AsyncAction, AsyncInput, AttemptResult, Condition, EventDestination, EventId,
    EventInvokePolicy, EventStage, RetryTiming,
};
use crate::Millis;

/// Concurrent deliveries to destinations.
const MAX_DELIVERIES: usize = 16;

/// Events of one function.
#[derive(Debug, Default)]
struct Line {
    /// Due and not running, oldest first.
    ready: BTreeSet<EventId>,
    running: BTreeSet<EventId>,
}

/// An ended event and one of its destinations.
type Delivery = (EventId, EventDestination);

/// What is due at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// The event is due, or too old; ignored if the event has moved on.
    Event(EventId),
    /// The destination receives the event again.
    Delivery(Delivery),
}

/// The state of all accepted events of a host.
#[derive(Debug)]
pub struct AsyncMachine {
    policies: BTreeMap<String, EventInvokePolicy>,
    timing: RetryTiming,
    entries: HashMap<EventId, AcceptedEvent>,
    lines: BTreeMap<String, Line>,
    timers: BTreeSet<(Millis, Timer)>,
    outgoing: BTreeSet<Delivery>,
    /// Failures of each delivery.
    refused: BTreeMap<Delivery, u32>,
    delivering: usize,
    draining: bool,
    /// Actions of the current step.
    actions: Vec<AsyncAction>,
}

impl AsyncMachine {
    /// `policies` by logical id of the function. Events of other functions are kept untouched.
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
            actions: Vec::new(),
        }
    }

    /// Applies an input and everything that is due at `now`; appends the resulting actions.
    pub fn step(&mut self, now: Millis, input: AsyncInput, actions: &mut Vec<AsyncAction>) {
        match input {
            AsyncInput::Accepted(id, entry) => self.accepted(id, entry),
            AsyncInput::Finished(id, finish) => self.finished(now, id, finish),
            AsyncInput::Delivered(id, target, taken) => {
                self.delivered(now, (id, target), taken);
            }
            AsyncInput::Limited(function, max) => {
                if let Some(policy) = self.policies.get_mut(&function) {
                    policy.concurrency = max;
                }
            }
            AsyncInput::Tick => {}
            AsyncInput::Drain => self.draining = true,
            AsyncInput::Restarted => self.restarted(),
        }
        self.apply_timers(now);
        if !self.draining {
            self.begin();
        }
        actions.append(&mut self.actions);
    }

    /// When the next [`AsyncInput::Tick`] is due; may be in the past. `None`: nothing is due.
    pub fn wake(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// An event that has not ended or not reached all its destinations.
    pub fn entry(&self, id: EventId) -> Option<&AcceptedEvent> {
        self.entries.get(&id)
    }

    /// Number of all events.
    #[expect(clippy::len_without_is_empty, reason = "no caller needs it")]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every event, those of unknown functions included, and whether it is at its function now.
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

    /// The state after a start of the host: every event waits for its time or its destinations.
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

    fn finished(&mut self, now: Millis, id: EventId, finish: AttemptResult) {
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
                self.end(now, id, Condition::Success);
                return;
            }
            AttemptResult::Failed => {
                entry.invoked += 1;
                if failed >= policy.max_retries {
                    self.end(now, id, Condition::RetriesExhausted);
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
                self.end(now, id, Condition::RetriesExhausted);
                return;
            }
            AttemptResult::Stopped => entry.stage = again(failed, delayed, now),
        }
        if let EventStage::Waiting { due, .. } = entry.stage {
            self.timers.insert((due, Timer::Event(id)));
        }
        self.actions.push(AsyncAction::Save(id, entry.clone()));
    }

    /// The event makes no further attempt; its destinations receive it.
    fn end(&mut self, now: Millis, id: EventId, condition: Condition) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let Some(policy) = self.policies.get(&entry.function) else {
            return;
        };
        if let EventStage::Waiting { due, .. } = entry.stage {
            // else the timers of ended events would pile up until they are due
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
                self.actions.push(AsyncAction::Lost(
                    entry.function.clone(),
                    entry.request_id.clone(),
                    condition,
                ));
            }
            self.entries.remove(&id);
            self.actions.push(AsyncAction::Forget(id));
            return;
        }
        entry.stage = EventStage::Ended {
            condition,
            at: now,
            targets: targets.clone(),
        };
        self.outgoing
            .extend(targets.iter().map(|target| (id, target.clone())));
        self.actions.push(AsyncAction::Save(id, entry.clone()));
    }

    fn delivered(&mut self, now: Millis, delivery: Delivery, taken: bool) {
        self.delivering = self.delivering.saturating_sub(1);
        let failures = self.refused.remove(&delivery).unwrap_or_default();
        if !taken {
            self.timers.insert((
                now + self.timing.after(failures),
                Timer::Delivery(delivery.clone()),
            ));
            self.refused.insert(delivery, failures.saturating_add(1));
            return;
        }
        let (id, target) = delivery;
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let EventStage::Ended { targets, .. } = &mut entry.stage else {
            return;
        };
        targets.retain(|left| *left != target);
        if targets.is_empty() {
            self.entries.remove(&id);
            self.actions.push(AsyncAction::Forget(id));
        } else {
            self.actions.push(AsyncAction::Save(id, entry.clone()));
        }
    }

    fn apply_timers(&mut self, now: Millis) {
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            match self.timers.pop_first() {
                Some((_, Timer::Delivery(delivery))) => drop(self.outgoing.insert(delivery)),
                Some((_, Timer::Event(id))) => self.apply_timer(now, id),
                None => {}
            }
        }
    }

    /// Moves an event to `ready` if it is due, and ends one that is too old.
    fn apply_timer(&mut self, now: Millis, id: EventId) {
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
            self.end(now, id, Condition::EventAgeExceeded);
        } else if now >= *due {
            line.ready.insert(id);
        }
    }

    fn begin(&mut self) {
        for (function, line) in &mut self.lines {
            // a function with concurrency 0 is invoked once: the refusal ends its event
            let max = self
                .policies
                .get(function)
                .map_or(0, |policy| policy.concurrency.max(1));
            while line.running.len() < max
                && let Some(id) = line.ready.pop_first()
            {
                line.running.insert(id);
                self.actions.push(AsyncAction::Invoke(id));
            }
        }
        while self.delivering < MAX_DELIVERIES
            && let Some((id, target)) = self.outgoing.pop_first()
        {
            self.delivering += 1;
            self.actions.push(AsyncAction::Deliver(id, target));
        }
    }
}
