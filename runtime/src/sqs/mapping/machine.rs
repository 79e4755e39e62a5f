//! When to ask the queue, and which messages travel together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::batch::{Batch, fill};
use super::settle::settle;
use super::{Action, Finish, Input, InvocationId, MOST_RECEIVED, Message, Millis, Overview, ReceiveId, Settings};
use crate::tuning::SourceSettings;

/// Pause between the short requests in the last second of a batching window, in which no whole second fits.
const SHORT_POLL: Millis = 100;

/// The state of one mapping.
#[derive(Debug)]
pub struct Machine {
    settings: Settings,
    /// Messages asked for, by request.
    receives: BTreeMap<ReceiveId, usize>,
    /// Requests wanted at one time: grows while they come back full, is one again when one comes back empty.
    wanted: usize,
    /// Gathering; only with a window does it stay from one step to the next.
    open: Batch,
    /// Closed, and waiting for a permit: only what a cut by size made more of than was asked for.
    closed: VecDeque<Batch>,
    flying: BTreeMap<InvocationId, Batch>,
    next_id: u64,
    /// Requests that failed in a row.
    failures: u32,
    /// Batches that found no function in a row.
    refusals: u32,
    /// No request before.
    not_before: Millis,
    draining: bool,
    /// Asks for nothing until told otherwise.
    paused: bool,
}

impl Machine {
    /// A mapping that has asked for nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            receives: BTreeMap::new(),
            wanted: 1,
            open: Batch::default(),
            closed: VecDeque::new(),
            flying: BTreeMap::new(),
            next_id: 0,
            failures: 0,
            refusals: 0,
            not_before: Millis::MIN,
            draining: false,
            paused: false,
        }
    }

    /// Takes what happened and appends what to do. Every step also does what has become due by `now`.
    pub fn step(&mut self, now: Millis, input: Input, out: &mut Vec<Action>) {
        match input {
            Input::Received(id, messages) => self.received(now, id, messages, out),
            Input::ReceiveFailed(id) => {
                if self.receives.remove(&id).is_some() {
                    self.wanted = 1;
                    self.failures = self.failures.saturating_add(1);
                    self.pause(now, self.failures);
                }
            }
            Input::Finished(id, finish) => self.finished(now, id, &finish, out),
            Input::Tuned(tuned) => self.tuned(&tuned),
            Input::Drain => {
                self.draining = true;
                let held = std::mem::take(&mut self.closed).into_iter().chain([std::mem::take(&mut self.open)]);
                held.for_each(|batch| settle_unless_empty(&batch.messages, &Finish::NotInvoked, out));
            }
            Input::Tick => {}
        }
        if self.draining {
            return;
        }
        self.close(now);
        self.give_back_late(now, out);
        self.start(out);
        self.ask(now, out);
    }

    /// When the next step is due if nothing happens before. `None`: only an event can move it.
    pub fn wake(&self) -> Option<Millis> {
        if self.draining {
            return None;
        }
        let window = (!self.open.is_empty()).then(|| self.window_end());
        let late = self.closed.front().map(|batch| self.start_by(batch));
        let ask =
            (self.receives.len() < self.wanted && self.room() > 0 && self.not_before > Millis::MIN).then_some(self.not_before);
        window.into_iter().chain(late).chain(ask).min()
    }

    /// Nothing is in flight: no request, no invocation.
    pub fn is_idle(&self) -> bool {
        self.receives.is_empty() && self.flying.is_empty()
    }

    /// What is where, for the status.
    pub fn overview(&self) -> Overview {
        let held = self.open.len() + self.closed.iter().map(Batch::len).sum::<usize>();
        Overview { receives: self.receives.len(), in_flight: self.flying.values().map(Batch::len).sum(), held }
    }

    fn tuned(&mut self, tuned: &SourceSettings) {
        self.settings.batch_size = tuned.batch_size.max(1);
        self.settings.window = tuned.window.min(self.settings.patience / 2);
        self.settings.concurrency = tuned.concurrency;
        self.paused = tuned.paused;
    }

    fn received(&mut self, now: Millis, id: ReceiveId, messages: Vec<Message>, out: &mut Vec<Action>) {
        let Some(most) = self.receives.remove(&id) else { return };
        self.failures = 0;
        match messages.len() {
            0 => self.wanted = 1,
            full if full >= most => self.wanted = (self.wanted + 1).min(self.settings.max_receives),
            _ => {}
        }
        if self.draining {
            settle_unless_empty(&messages, &Finish::NotInvoked, out);
            return;
        }
        let ordered = messages.iter().any(|message| message.group.is_some());
        let before = self.closed.len();
        fill(&mut self.open, messages, now, &self.settings, &mut self.closed);
        if ordered && self.closed.len() > before {
            // Two batches of one group would run side by side. The queue gives the rest again, in order.
            let rest = self.closed.drain(before + 1..).chain([std::mem::take(&mut self.open)]);
            rest.for_each(|batch| settle_unless_empty(&batch.messages, &Finish::NotInvoked, out));
        }
        if !self.open.is_empty() && !self.settings.window.is_zero() && self.window_left(now) < Duration::from_secs(1) {
            self.not_before = self.not_before.max(now.saturating_add(SHORT_POLL).min(self.window_end()));
        }
    }

    fn finished(&mut self, now: Millis, id: InvocationId, finish: &Finish, out: &mut Vec<Action>) {
        let Some(batch) = self.flying.remove(&id) else { return };
        settle_unless_empty(&batch.messages, finish, out);
        if *finish == Finish::NotInvoked {
            self.refused(now);
        } else {
            self.refusals = 0;
        }
    }

    /// Asking at once would only have more messages go back, and each receive counts towards the dead-letter queue.
    fn refused(&mut self, now: Millis) {
        self.refusals = self.refusals.saturating_add(1);
        self.pause(now, self.refusals);
    }

    fn pause(&mut self, now: Millis, times: u32) {
        let factor = 1_u32.checked_shl(times.saturating_sub(1).min(20)).unwrap_or(u32::MAX);
        let pause = self.settings.backoff.saturating_mul(factor).min(self.settings.max_backoff);
        self.not_before = self.not_before.max(now.saturating_add(millis(pause)));
    }

    /// The open batch is closed when it is full, or its window over.
    fn close(&mut self, now: Millis) {
        if !self.open.is_empty() && (self.open.is_full(&self.settings) || now >= self.window_end()) {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
    }

    /// Messages that waited for a permit until it was too late to begin.
    fn give_back_late(&mut self, now: Millis, out: &mut Vec<Action>) {
        while self.closed.front().is_some_and(|batch| now >= self.start_by(batch)) {
            if let Some(batch) = self.closed.pop_front() {
                settle(&batch.messages, &Finish::NotInvoked, out);
                self.refused(now);
            }
        }
    }

    fn start(&mut self, out: &mut Vec<Action>) {
        while self.flying.len() < self.settings.concurrency {
            let Some(batch) = self.closed.pop_front() else { return };
            let id = self.id();
            let keys = batch.messages.iter().map(|message| message.key).collect();
            out.push(Action::Invoke { id, batch: keys, start_by: self.start_by(&batch) });
            self.flying.insert(id, batch);
        }
    }

    fn ask(&mut self, now: Millis, out: &mut Vec<Action>) {
        while self.receives.len() < self.wanted && now >= self.not_before {
            let most = self.room().min(MOST_RECEIVED);
            if most == 0 {
                return;
            }
            let wait = if self.open.is_empty() { self.settings.poll } else { self.settings.poll.min(self.window_left(now)) };
            let id = self.id();
            self.receives.insert(id, most);
            out.push(Action::Receive { id, most, wait: Duration::from_secs(wait.as_secs()) });
        }
    }

    /// Messages that may be asked for on top of what is held and asked for already: what the free permits can carry.
    fn room(&self) -> usize {
        if self.paused {
            return 0;
        }
        let used = self.flying.len() + self.closed.len();
        let free = self.settings.concurrency.saturating_sub(used);
        let size = self.settings.batch_size;
        if self.settings.window.is_zero() {
            // each answer is a batch of its own, however few messages it brings
            return if free > self.receives.len() { size } else { 0 };
        }
        let asked: usize = self.receives.values().sum();
        free.saturating_mul(size).saturating_sub(self.open.len() + asked)
    }

    fn window_end(&self) -> Millis {
        self.open.since.saturating_add(millis(self.settings.window))
    }

    fn window_left(&self, now: Millis) -> Duration {
        Duration::from_millis(self.window_end().saturating_sub(now).max(0) as u64)
    }

    fn start_by(&self, batch: &Batch) -> Millis {
        batch.since.saturating_add(millis(self.settings.patience))
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

fn settle_unless_empty(messages: &[Message], finish: &Finish, out: &mut Vec<Action>) {
    if !messages.is_empty() {
        settle(messages, finish, out);
    }
}

fn millis(duration: Duration) -> Millis {
    duration.as_millis().min(i64::MAX as u128) as Millis
}
