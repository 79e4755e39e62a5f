//! Decides when to read, and what happens next to each entry.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::batch::{EntryBatch, add};
use super::table::{EntryState, EntryTable};
use super::{
    DeliveredEntry, EntryContent, EntryKey, ParkReason, RedisStreamAction, RedisStreamInput,
    RedisStreamOverview, RedisStreamSettings,
};
use crate::{InvocationId, Millis, backoff, millis};

/// Whether other consumers, or a read of this one, could take over what this consumer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HoldState {
    /// Its idle time was restarted in time.
    Held,
    /// A request to hold it is open.
    Open,
    /// A request failed: its idle time may be over. A read would take it over from this consumer
    /// itself, and count a delivery.
    Unsure,
}

/// Whether the mapping reads and starts invocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Runs,
    Paused,
    Drains,
}

/// The state of one mapping.
#[derive(Debug)]
pub struct RedisStreamMachine {
    pub(super) settings: RedisStreamSettings,
    pub(super) table: EntryTable,
    /// The batch being gathered. Without a window it is empty between steps.
    pub(super) open: EntryBatch,
    /// Batches that wait for a permit.
    pub(super) closed: VecDeque<EntryBatch>,
    pub(super) in_flight: BTreeMap<InvocationId, EntryBatch>,
    /// Failed batches, each with the time of its next attempt.
    pub(super) retries: Vec<(Millis, EntryBatch)>,
    next_id: InvocationId,
    reading: bool,
    /// Earliest time of the next read.
    read_at: Millis,
    /// Consecutive failed reads.
    read_failures: u32,
    /// Earliest time of the next invocation.
    pub(super) start_at: Millis,
    /// Consecutive batches that were not invoked.
    pub(super) refusals: u32,
    /// When all entries are held again.
    hold_at: Millis,
    hold: HoldState,
    /// Consecutive failed requests to hold entries.
    hold_failures: u32,
    /// Entries whose acknowledgement or parking failed, and when it is repeated.
    pub(super) unsettled: BTreeSet<EntryKey>,
    pub(super) settle_at: Millis,
    settle_failures: u32,
    pub(super) mode: Mode,
    /// Actions of the current step.
    pub(super) actions: Vec<RedisStreamAction>,
}

impl RedisStreamMachine {
    /// A mapping that holds nothing yet.
    pub fn new(settings: RedisStreamSettings) -> Self {
        Self {
            settings,
            table: EntryTable::default(),
            open: EntryBatch::default(),
            closed: VecDeque::new(),
            in_flight: BTreeMap::new(),
            retries: Vec::new(),
            next_id: 0,
            reading: false,
            read_at: Millis::MIN,
            read_failures: 0,
            start_at: Millis::MIN,
            refusals: 0,
            hold_at: Millis::MAX,
            hold: HoldState::Held,
            hold_failures: 0,
            unsettled: BTreeSet::new(),
            settle_at: Millis::MIN,
            settle_failures: 0,
            mode: Mode::Runs,
            actions: Vec::new(),
        }
    }

    /// Applies an input and everything that is due at `now`; appends the resulting actions.
    pub fn step(&mut self, now: Millis, input: RedisStreamInput, out: &mut Vec<RedisStreamAction>) {
        match input {
            RedisStreamInput::Read(entries) => self.read_ended(now, &entries),
            RedisStreamInput::ReadFailed => {
                self.reading = false;
                self.read_failures = self.read_failures.saturating_add(1);
                self.read_at = self.pause(now, self.read_failures);
                if self.hold == HoldState::Held {
                    self.hold = HoldState::Unsure;
                }
                self.hold_at = self.hold_at.min(self.read_at);
            }
            RedisStreamInput::Held(lost) => {
                self.hold = HoldState::Held;
                self.hold_failures = 0;
                self.lost(&lost);
            }
            RedisStreamInput::HoldFailed => {
                self.hold = HoldState::Unsure;
                self.hold_failures = self.hold_failures.saturating_add(1);
                self.hold_at = self.pause(now, self.hold_failures);
            }
            RedisStreamInput::Counted(lost) => self.lost(&lost),
            // the next hold stores the counts
            RedisStreamInput::CountFailed => self.hold_at = self.hold_at.min(self.pause(now, 1)),
            RedisStreamInput::Settled(keys) => {
                self.settle_failures = 0;
                for key in keys {
                    let entry = self.table.get(key);
                    // after a loss of the group, a new entry may have the same id
                    if entry.is_some_and(|entry| entry.state.is_settling()) {
                        self.table.remove(key);
                    }
                }
            }
            RedisStreamInput::SettleFailed(keys) => {
                self.unsettled.extend(keys);
                self.settle_failures = self.settle_failures.saturating_add(1);
                self.settle_at = self.pause(now, self.settle_failures);
            }
            RedisStreamInput::Recreated => self.recreated(),
            RedisStreamInput::Finished(id, result) => self.finished(now, id, result),
            RedisStreamInput::Tuned(tuned) => {
                self.settings.tune(&tuned);
                if self.mode != Mode::Drains {
                    self.mode = if tuned.paused {
                        Mode::Paused
                    } else {
                        Mode::Runs
                    };
                }
            }
            RedisStreamInput::Drain => self.drain(),
            RedisStreamInput::Tick => {}
        }
        self.settle_again(now);
        self.take_due_retries(now);
        self.close(now);
        self.start(now);
        self.hold_all(now);
        self.read(now);
        out.append(&mut self.actions);
    }

    /// When the next [`RedisStreamInput::Tick`] is due. `None`: nothing is due.
    pub fn wake(&self) -> Option<Millis> {
        let gathers = !self.open.keys.is_empty() && self.mode != Mode::Drains;
        let starts = !self.closed.is_empty() && self.may_start();
        let reads = self.may_read() && self.room() > 0;
        let retry = self.retries.iter().map(|(due, _)| *due).min();
        let due = [
            gathers.then(|| self.window_end()),
            starts.then_some(self.start_at),
            reads.then_some(self.read_at),
            retry,
            (!self.unsettled.is_empty()).then_some(self.settle_at),
            (self.holds_entries() && self.hold != HoldState::Open).then_some(self.hold_at),
        ];
        due.into_iter()
            .flatten()
            .filter(|at| *at > Millis::MIN)
            .min()
    }

    /// Whether no read and no invocation is open, and nothing is left to acknowledge or park.
    pub fn is_idle(&self) -> bool {
        let settling = |entry: EntryState| entry.is_settling();
        !self.reading
            && self.in_flight.is_empty()
            && !self.table.iter().any(|(_, entry)| settling(entry.state))
    }

    /// Counts for the status.
    pub fn overview(&self) -> RedisStreamOverview {
        self.table.overview()
    }

    fn read_ended(&mut self, now: Millis, entries: &[DeliveredEntry]) {
        self.reading = false;
        self.read_failures = 0;
        if !entries.is_empty() && self.table.is_empty() {
            self.hold_at = now.saturating_add(millis(self.settings.hold_interval));
            if self.hold == HoldState::Unsure {
                self.hold = HoldState::Held;
            }
        }
        let mut settled = Vec::new();
        for entry in entries {
            if self.mode == Mode::Drains {
                continue;
            }
            if let Some(held) = self.table.get_mut(entry.key) {
                // taken over from itself, or back from another consumer
                held.attempt = held.attempt.max(entry.deliveries);
                if held.state == EntryState::Lost {
                    held.state = EntryState::InFlight;
                }
                continue;
            }
            let position = (entry.added(), entry.deliveries);
            self.table.insert(entry.key, position, entry.content);
            match entry.content {
                EntryContent::Record(size) => add(
                    &mut self.open,
                    (entry.key, size),
                    now,
                    &self.settings,
                    &mut self.closed,
                ),
                _ => settled.push(entry.key),
            }
        }
        self.settle(settled);
    }

    fn take_due_retries(&mut self, now: Millis) {
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.retries)
            .into_iter()
            .partition(|(due, _)| *due <= now);
        self.retries = later;
        for (_, batch) in due.into_iter().rev() {
            for key in &batch.keys {
                if let Some(entry) = self.table.get_mut(*key) {
                    entry.state = EntryState::Queued;
                }
            }
            self.closed.push_front(batch);
        }
    }

    /// Closes the open batch when it is full or its window is over.
    fn close(&mut self, now: Millis) {
        if !self.open.keys.is_empty()
            && (self.open.is_full(&self.settings) || now >= self.window_end())
        {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
    }

    fn start(&mut self, now: Millis) {
        while self.may_start() && now >= self.start_at {
            let Some(mut batch) = self.closed.pop_front() else {
                return;
            };
            self.refuse_old(now, &mut batch);
            let mut entries = Vec::new();
            for key in &batch.keys {
                if let Some(entry) = self.table.get_mut(*key) {
                    entry.state = EntryState::InFlight;
                    entries.push((*key, entry.attempt));
                }
            }
            if entries.is_empty() {
                continue;
            }
            self.next_id += 1;
            self.actions
                .push(RedisStreamAction::Invoke(self.next_id, entries));
            self.in_flight.insert(self.next_id, batch);
        }
    }

    fn refuse_old(&mut self, now: Millis, batch: &mut EntryBatch) {
        let Some(max_age) = self.settings.max_age else {
            return;
        };
        let oldest = now.saturating_sub(millis(max_age));
        let mut refused = Vec::new();
        batch.keys.retain(|key| match self.table.get_mut(*key) {
            Some(entry) if entry.added < oldest => {
                entry.state = EntryState::Refused(ParkReason::TooOld);
                refused.push(*key);
                false
            }
            _ => true,
        });
        self.settle(refused);
    }

    fn hold_all(&mut self, now: Millis) {
        if self.hold != HoldState::Open && self.holds_entries() && now >= self.hold_at {
            let held = self.table.iter();
            let held = held.filter(|(_, entry)| entry.state != EntryState::Lost);
            let counts = held.map(|(key, entry)| (key, entry.attempt)).collect();
            self.hold = HoldState::Open;
            self.hold_at = now.saturating_add(millis(self.settings.hold_interval));
            self.actions.push(RedisStreamAction::Hold(counts));
        }
    }

    fn read(&mut self, now: Millis) {
        let max = self.room();
        if max == 0 || !self.may_read() || now < self.read_at {
            return;
        }
        let wait = if self.open.keys.is_empty() {
            self.settings.poll
        } else {
            let left = self.window_end().saturating_sub(now).max(0) as u64;
            self.settings.poll.min(Duration::from_millis(left))
        };
        self.reading = true;
        self.actions.push(RedisStreamAction::Read { max, wait });
    }

    fn may_start(&self) -> bool {
        self.mode == Mode::Runs && self.in_flight.len() < self.settings.concurrency
    }

    fn may_read(&self) -> bool {
        let sure = self.hold == HoldState::Held || !self.holds_entries();
        !self.reading && self.mode == Mode::Runs && sure
    }

    /// Whether any entry must be kept from other consumers.
    fn holds_entries(&self) -> bool {
        let mut entries = self.table.iter();
        entries.any(|(_, entry)| entry.state != EntryState::Lost)
    }

    /// Further entries that may be requested: as many as the free permits can carry.
    fn room(&self) -> usize {
        if self.table.bytes() >= self.settings.max_held_bytes {
            return 0;
        }
        let used = self.in_flight.len() + self.closed.len();
        let free = self.settings.concurrency.saturating_sub(used);
        free.saturating_mul(self.settings.batch_size)
            .saturating_sub(self.open.keys.len())
            .min(self.settings.max_read)
            .min(self.settings.max_held.saturating_sub(self.table.len()))
    }

    fn window_end(&self) -> Millis {
        self.open.since.saturating_add(millis(self.settings.window))
    }

    pub(super) fn pause(&self, now: Millis, times: u32) -> Millis {
        let pause = backoff(self.settings.backoff, self.settings.max_backoff, times);
        now.saturating_add(pause)
    }
}
