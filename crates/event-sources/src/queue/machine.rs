//! Decides when to receive, and which messages travel together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::batch::{Batch, fill};
use super::settle::settle;
use super::{
    MAX_RECEIVED, QueueAction, QueueBatchResult, QueueInput, QueueMessage, QueueOverview,
    QueueSettings, ReceiveId,
};
use crate::{InvocationId, Millis, SourceSettings, backoff, millis};

/// Pause after a request in the last second of a batching window, where the wait of a request, which
/// counts in whole seconds, is 0. After a full one there is no pause: the queue holds more.
const SHORT_POLL: Millis = 100;

/// How often a waiting message is hidden again within its visibility timeout, so that one lost
/// request does no harm.
const EXTENSIONS: Millis = 3;

/// Minimum wait for which a message is hidden again when the function begins.
const LONG_WAIT: Millis = 500;

/// The state of one mapping.
#[derive(Debug)]
pub struct QueueMachine {
    settings: QueueSettings,
    /// Requested messages, by open request.
    receives: BTreeMap<ReceiveId, usize>,
    /// Target of concurrent requests: grows while requests return full, resets to 1 when one
    /// returns empty.
    target_receives: usize,
    /// The batch being gathered. Without a window it is empty between steps.
    open: Batch,
    /// Batches that wait for a permit. A cut by size can make more batches than permits.
    closed: VecDeque<Batch>,
    in_flight: BTreeMap<InvocationId, Batch>,
    next_id: u64,
    /// Consecutive failed requests.
    failures: u32,
    /// Consecutive batches that were not invoked.
    refusals: u32,
    /// Earliest time of the next request.
    not_before: Millis,
    draining: bool,
    /// Receives nothing while set.
    paused: bool,
    /// Actions of the current step.
    actions: Vec<QueueAction>,
}

impl QueueMachine {
    /// A mapping that has received nothing yet.
    pub fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            receives: BTreeMap::new(),
            target_receives: 1,
            open: Batch::default(),
            closed: VecDeque::new(),
            in_flight: BTreeMap::new(),
            next_id: 0,
            failures: 0,
            refusals: 0,
            not_before: Millis::MIN,
            draining: false,
            paused: false,
            actions: Vec::new(),
        }
    }

    /// Applies an input and everything that is due at `now`; appends the resulting actions.
    pub fn step(&mut self, now: Millis, input: QueueInput, out: &mut Vec<QueueAction>) {
        match input {
            QueueInput::Received(id, messages) => self.received(now, id, messages),
            QueueInput::ReceiveFailed(id) => {
                if self.receives.remove(&id).is_some() {
                    self.target_receives = 1;
                    self.failures = self.failures.saturating_add(1);
                    self.pause(now, self.failures);
                }
            }
            QueueInput::Begun(id) => self.begun(now, id),
            QueueInput::Finished(id, finish) => self.finished(now, id, &finish),
            QueueInput::Tuned(tuned) => self.tuned(&tuned),
            QueueInput::Drain => self.draining = true,
            QueueInput::Tick => {}
        }
        self.close(now);
        self.start();
        self.keep_hidden(now);
        if !self.draining {
            self.receive(now);
        }
        out.append(&mut self.actions);
    }

    /// When the next [`QueueInput::Tick`] is due. `None`: nothing is due.
    pub fn wake(&self) -> Option<Millis> {
        let window = (!self.open.is_empty()).then(|| self.window_end());
        let waiting = self.in_flight.values().filter(|batch| !batch.begun);
        let waiting = waiting
            .chain(&self.closed)
            .chain(Some(&self.open).filter(|open| !open.is_empty()));
        let extend = waiting.map(|batch| self.extend_at(batch)).min();
        let receives = !self.draining
            && self.receives.len() < self.target_receives
            && self.room() > 0
            && self.not_before > Millis::MIN;
        window
            .into_iter()
            .chain(extend)
            .chain(receives.then_some(self.not_before))
            .min()
    }

    /// Whether no request and no invocation is open.
    pub fn is_idle(&self) -> bool {
        self.receives.is_empty() && self.in_flight.is_empty()
    }

    /// The visibility timeout for waiting messages.
    pub fn hidden(&self) -> Duration {
        self.settings.hidden
    }

    /// Counts for the status.
    pub fn overview(&self) -> QueueOverview {
        QueueOverview {
            receives: self.receives.len(),
            in_flight: self.in_flight.values().map(Batch::len).sum(),
            held: self.open.len() + self.closed.iter().map(Batch::len).sum::<usize>(),
        }
    }

    fn tuned(&mut self, tuned: &SourceSettings) {
        self.settings.batch_size = tuned.batch_size.max(1);
        self.settings.window = tuned.window;
        self.settings.concurrency = tuned.concurrency;
        self.paused = tuned.paused;
    }

    fn received(&mut self, now: Millis, id: ReceiveId, messages: Vec<QueueMessage>) {
        let Some(max) = self.receives.remove(&id) else {
            return;
        };
        self.failures = 0;
        let full = messages.len() >= max;
        if full {
            self.target_receives = (self.target_receives + 1).min(self.settings.max_receives);
        } else if messages.is_empty() {
            self.target_receives = 1;
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
            // Two batches of one group must not run concurrently. The queue redelivers the rest in
            // order.
            let open = std::mem::take(&mut self.open);
            for batch in self.closed.drain(before + 1..).chain([open]) {
                settle(&batch, &QueueBatchResult::NotInvoked, &mut self.actions);
            }
        }
        if !full
            && !self.open.is_empty()
            && !self.settings.window.is_zero()
            && self.window_left(now) < Duration::from_secs(1)
        {
            self.not_before = self
                .not_before
                .max(now.saturating_add(SHORT_POLL).min(self.window_end()));
        }
    }

    fn finished(&mut self, now: Millis, id: InvocationId, finish: &QueueBatchResult) {
        let Some(batch) = self.in_flight.remove(&id) else {
            return;
        };
        settle(&batch, finish, &mut self.actions);
        if *finish == QueueBatchResult::NotInvoked {
            // each receive counts towards the dead-letter queue
            self.refusals = self.refusals.saturating_add(1);
            self.pause(now, self.refusals);
        } else {
            self.refusals = 0;
        }
    }

    /// Hides the messages of a function that began for as long as its timeout.
    fn begun(&mut self, now: Millis, id: InvocationId) {
        let Some(batch) = self.in_flight.get_mut(&id) else {
            return;
        };
        batch.begun = true;
        let waited = now - batch.hidden_since;
        let left = millis(self.settings.hidden) - waited;
        if waited >= LONG_WAIT && left < millis(self.settings.timeout) {
            batch.hidden_since = now;
            self.actions.push(QueueAction::Extend(batch.keys()));
        }
    }

    /// Hides waiting messages again well before their visibility timeout ends.
    fn keep_hidden(&mut self, now: Millis) {
        let pause = millis(self.settings.hidden) / EXTENSIONS;
        let waiting = self.in_flight.values_mut().filter(|batch| !batch.begun);
        let waiting = waiting
            .chain(&mut self.closed)
            .chain(Some(&mut self.open).filter(|open| !open.is_empty()));
        for batch in waiting.filter(|batch| now >= batch.hidden_since.saturating_add(pause)) {
            batch.hidden_since = now;
            self.actions.push(QueueAction::Extend(batch.keys()));
        }
    }

    fn pause(&mut self, now: Millis, times: u32) {
        let pause = backoff(self.settings.backoff, self.settings.max_backoff, times);
        self.not_before = self.not_before.max(now.saturating_add(pause));
    }

    /// Closes the open batch when it is full or its window is over.
    fn close(&mut self, now: Millis) {
        if !self.open.is_empty()
            && (self.draining || self.open.is_full(&self.settings) || now >= self.window_end())
        {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
    }

    fn start(&mut self) {
        while self.in_flight.len() < self.settings.concurrency {
            let Some(batch) = self.closed.pop_front() else {
                return;
            };
            let id = self.id();
            self.actions.push(QueueAction::Invoke {
                id,
                batch: batch.keys(),
            });
            self.in_flight.insert(id, batch);
        }
    }

    fn receive(&mut self, now: Millis) {
        while self.receives.len() < self.target_receives && now >= self.not_before {
            let max = self.room().min(MAX_RECEIVED);
            if max == 0 {
                return;
            }
            let wait = if self.open.is_empty() {
                self.settings.poll
            } else {
                self.settings.poll.min(self.window_left(now))
            };
            let id = self.id();
            self.receives.insert(id, max);
            self.actions.push(QueueAction::Receive {
                id,
                max,
                wait: Duration::from_secs(wait.as_secs()),
            });
        }
    }

    /// Further messages that may be requested: as many as the free permits can carry.
    fn room(&self) -> usize {
        if self.paused {
            return 0;
        }
        let used = self.in_flight.len() + self.closed.len();
        let free = self.settings.concurrency.saturating_sub(used);
        let size = self.settings.batch_size;
        if self.settings.window.is_zero() {
            // each answer is a batch of its own, however small
            return if free > self.receives.len() { size } else { 0 };
        }
        let requested: usize = self.receives.values().sum();
        free.saturating_mul(size)
            .saturating_sub(self.open.len() + requested)
    }

    fn window_end(&self) -> Millis {
        self.open.since.saturating_add(millis(self.settings.window))
    }

    fn window_left(&self, now: Millis) -> Duration {
        Duration::from_millis(self.window_end().saturating_sub(now).max(0) as u64)
    }

    /// When a waiting batch is due to be hidden again.
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
