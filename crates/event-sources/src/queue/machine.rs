//! When to ask the queue, and which messages travel together.

use crate::{InvocationId, Millis};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::batch::{Batch, fill};
use super::settle::settle;
use super::{
    MAX_RECEIVED, QueueAction, QueueBatchResult, QueueInput, QueueMessage, QueueOverview,
    QueueSettings, ReceiveId,
};
use crate::SourceSettings;

/// Pause between the short requests in the last second of a batching window, in which no whole second fits.
const SHORT_POLL: Millis = 100;

/// A message that waits is hidden again so many times within the time that it is hidden for: one lost request changes nothing.
const EXTENSIONS: Millis = 3;

/// A wait that is worth a request when the function begins.
const LONG_WAIT: Millis = 500;

/// A batch that was handed to the function.
#[derive(Debug)]
struct Flying {
    batch: Batch,
    /// An instance has it.
    begun: bool,
}

/// The state of one mapping.
#[derive(Debug)]
pub struct QueueMachine {
    settings: QueueSettings,
    /// Messages asked for, by request.
    receives: BTreeMap<ReceiveId, usize>,
    /// Requests wanted at one time: grows while they come back full, is one again when one comes back empty.
    wanted: usize,
    /// Gathering; only with a window does it stay from one step to the next.
    open: Batch,
    /// Closed, and waiting for a permit: only what a cut by size made more of than was asked for.
    closed: VecDeque<Batch>,
    flying: BTreeMap<InvocationId, Flying>,
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

impl QueueMachine {
    /// A mapping that has asked for nothing yet.
    pub fn new(settings: QueueSettings) -> Self {
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
    pub fn step(&mut self, now: Millis, input: QueueInput, out: &mut Vec<QueueAction>) {
        match input {
            QueueInput::Received(id, messages) => self.received(now, id, messages, out),
            QueueInput::ReceiveFailed(id) => {
                if self.receives.remove(&id).is_some() {
                    self.wanted = 1;
                    self.failures = self.failures.saturating_add(1);
                    self.pause(now, self.failures);
                }
            }
            QueueInput::Begun(id) => self.begun(now, id, out),
            QueueInput::Finished(id, finish) => self.finished(now, id, &finish, out),
            QueueInput::Tuned(tuned) => self.tuned(&tuned),
            QueueInput::Drain => self.draining = true,
            QueueInput::Tick => {}
        }
        self.close(now);
        self.start(out);
        self.keep_hidden(now, out);
        if !self.draining {
            self.ask(now, out);
        }
    }

    /// When the next step is due if nothing happens before. `None`: only an event can move it.
    pub fn wake(&self) -> Option<Millis> {
        let window = (!self.open.is_empty()).then(|| self.window_end());
        let waiting = self
            .flying
            .values()
            .filter(|flying| !flying.begun)
            .map(|flying| &flying.batch);
        let waiting = waiting
            .chain(&self.closed)
            .chain(Some(&self.open).filter(|open| !open.is_empty()));
        let extend = waiting.map(|batch| self.extend_at(batch)).min();
        let asks = !self.draining
            && self.receives.len() < self.wanted
            && self.room() > 0
            && self.not_before > Millis::MIN;
        window
            .into_iter()
            .chain(extend)
            .chain(asks.then_some(self.not_before))
            .min()
    }

    /// Nothing is in flight: no request, no invocation.
    pub fn is_idle(&self) -> bool {
        self.receives.is_empty() && self.flying.is_empty()
    }

    /// How long the queue is to hide what waits.
    pub fn hidden(&self) -> Duration {
        self.settings.hidden
    }

    /// What is where, for the status.
    pub fn overview(&self) -> QueueOverview {
        let held = self.open.len() + self.closed.iter().map(Batch::len).sum::<usize>();
        QueueOverview {
            receives: self.receives.len(),
            in_flight: self.flying.values().map(|flying| flying.batch.len()).sum(),
            held,
        }
    }

    fn tuned(&mut self, tuned: &SourceSettings) {
        self.settings.batch_size = tuned.batch_size.max(1);
        self.settings.window = tuned.window;
        self.settings.concurrency = tuned.concurrency;
        self.paused = tuned.paused;
    }

    fn received(
        &mut self,
        now: Millis,
        id: ReceiveId,
        messages: Vec<QueueMessage>,
        out: &mut Vec<QueueAction>,
    ) {
        let Some(most) = self.receives.remove(&id) else {
            return;
        };
        self.failures = 0;
        match messages.len() {
            0 => self.wanted = 1,
            full if full >= most => self.wanted = (self.wanted + 1).min(self.settings.max_receives),
            _ => {}
        }
        let ordered = messages.iter().any(|message| message.group.is_some());
        let before = self.closed.len();
        fill(
            &mut self.open,
            messages,
            now,
            &self.settings,
            &mut self.closed,
        );
        if ordered && self.closed.len() > before {
            // Two batches of one group would run side by side. The queue gives the rest again, in order.
            let rest = self
                .closed
                .drain(before + 1..)
                .chain([std::mem::take(&mut self.open)]);
            rest.for_each(|batch| {
                settle_unless_empty(&batch.messages, &QueueBatchResult::NotInvoked, out);
            });
        }
        if !self.open.is_empty()
            && !self.settings.window.is_zero()
            && self.window_left(now) < Duration::from_secs(1)
        {
            self.not_before = self
                .not_before
                .max(now.saturating_add(SHORT_POLL).min(self.window_end()));
        }
    }

    fn finished(
        &mut self,
        now: Millis,
        id: InvocationId,
        finish: &QueueBatchResult,
        out: &mut Vec<QueueAction>,
    ) {
        let Some(flying) = self.flying.remove(&id) else {
            return;
        };
        settle_unless_empty(&flying.batch.messages, finish, out);
        if *finish == QueueBatchResult::NotInvoked {
            self.refused(now);
        } else {
            self.refusals = 0;
        }
    }

    /// The function runs: its messages have to stay hidden for as long as it may.
    fn begun(&mut self, now: Millis, id: InvocationId, out: &mut Vec<QueueAction>) {
        let Some(flying) = self.flying.get_mut(&id) else {
            return;
        };
        flying.begun = true;
        let waited = now - flying.batch.hidden_since;
        let left = millis(self.settings.hidden) - waited;
        if waited >= LONG_WAIT && left < millis(self.settings.timeout) {
            flying.batch.hidden_since = now;
            out.push(QueueAction::Extend(flying.batch.keys()));
        }
    }

    /// What waits for its function is hidden again well before the queue would show it.
    fn keep_hidden(&mut self, now: Millis, out: &mut Vec<QueueAction>) {
        let pause = millis(self.settings.hidden) / EXTENSIONS;
        let waiting = self
            .flying
            .values_mut()
            .filter(|flying| !flying.begun)
            .map(|flying| &mut flying.batch);
        let waiting = waiting
            .chain(&mut self.closed)
            .chain(Some(&mut self.open).filter(|open| !open.is_empty()));
        for batch in waiting.filter(|batch| now >= batch.hidden_since.saturating_add(pause)) {
            batch.hidden_since = now;
            out.push(QueueAction::Extend(batch.keys()));
        }
    }

    /// Asking at once would only have more messages go back, and each receive counts towards the dead-letter queue.
    fn refused(&mut self, now: Millis) {
        self.refusals = self.refusals.saturating_add(1);
        self.pause(now, self.refusals);
    }

    fn pause(&mut self, now: Millis, times: u32) {
        let factor = 1_u32
            .checked_shl(times.saturating_sub(1).min(20))
            .unwrap_or(u32::MAX);
        let pause = self
            .settings
            .backoff
            .saturating_mul(factor)
            .min(self.settings.max_backoff);
        self.not_before = self.not_before.max(now.saturating_add(millis(pause)));
    }

    /// The open batch is closed when it is full, or its window over.
    fn close(&mut self, now: Millis) {
        if !self.open.is_empty()
            && (self.draining || self.open.is_full(&self.settings) || now >= self.window_end())
        {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
    }

    fn start(&mut self, out: &mut Vec<QueueAction>) {
        while self.flying.len() < self.settings.concurrency {
            let Some(batch) = self.closed.pop_front() else {
                return;
            };
            let id = self.id();
            out.push(QueueAction::Invoke {
                id,
                batch: batch.keys(),
            });
            self.flying.insert(
                id,
                Flying {
                    batch,
                    begun: false,
                },
            );
        }
    }

    fn ask(&mut self, now: Millis, out: &mut Vec<QueueAction>) {
        while self.receives.len() < self.wanted && now >= self.not_before {
            let most = self.room().min(MAX_RECEIVED);
            if most == 0 {
                return;
            }
            let wait = if self.open.is_empty() {
                self.settings.poll
            } else {
                self.settings.poll.min(self.window_left(now))
            };
            let id = self.id();
            self.receives.insert(id, most);
            out.push(QueueAction::Receive {
                id,
                most,
                wait: Duration::from_secs(wait.as_secs()),
            });
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
        free.saturating_mul(size)
            .saturating_sub(self.open.len() + asked)
    }

    fn window_end(&self) -> Millis {
        self.open.since.saturating_add(millis(self.settings.window))
    }

    fn window_left(&self, now: Millis) -> Duration {
        Duration::from_millis(self.window_end().saturating_sub(now).max(0) as u64)
    }

    /// When a batch that waits is to be hidden again.
    fn extend_at(&self, batch: &Batch) -> Millis {
        batch
            .hidden_since
            .saturating_add(millis(self.settings.hidden) / EXTENSIONS)
    }

    fn id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

fn settle_unless_empty(
    messages: &[QueueMessage],
    finish: &QueueBatchResult,
    out: &mut Vec<QueueAction>,
) {
    if !messages.is_empty() {
        settle(messages, finish, out);
    }
}

fn millis(duration: Duration) -> Millis {
    duration.as_millis().min(i64::MAX as u128) as Millis
}
