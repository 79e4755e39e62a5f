//! The end of an invocation, of a hold, and of a mapping: what becomes of each entry.

use std::collections::BTreeSet;

use super::batch::EntryBatch;
use super::machine::{Mode, RedisStreamMachine};
use super::table::EntryState;
use super::{EntryKey, ParkReason, RedisStreamAction, RedisStreamBatchResult};
use crate::{InvocationId, Millis};

impl RedisStreamMachine {
    /// Applies the result of an invocation.
    pub(super) fn finished(
        &mut self,
        now: Millis,
        id: InvocationId,
        result: RedisStreamBatchResult,
    ) {
        let Some(mut batch) = self.in_flight.remove(&id) else {
            return;
        };
        let bisects = result == RedisStreamBatchResult::Failed && self.settings.bisect;
        let failed: Vec<EntryKey> = match result {
            RedisStreamBatchResult::NotInvoked => {
                self.refusals = self.refusals.saturating_add(1);
                self.start_at = self.pause(now, self.refusals);
                batch.keys = self.keep(batch.keys, EntryState::Queued);
                if !batch.keys.is_empty() {
                    self.closed.push_front(batch);
                }
                return;
            }
            RedisStreamBatchResult::Failed => batch.keys.clone(),
            RedisStreamBatchResult::Answered(failed) => {
                let failed: BTreeSet<EntryKey> = failed.into_iter().collect();
                let (failed, done): (Vec<_>, Vec<_>) = batch
                    .keys
                    .iter()
                    .copied()
                    .partition(|key| failed.contains(key));
                let mut settled = Vec::new();
                for key in done {
                    if let Some(entry) = self.table.get_mut(key) {
                        entry.state = EntryState::Done;
                        settled.push(key);
                    }
                }
                self.settle(settled);
                failed
            }
        };
        self.refusals = 0;
        if bisects && failed.len() > 1 {
            let (left, right) = failed.split_at(failed.len() / 2);
            for half in [left, right] {
                self.retry(now, half.to_vec(), batch.failures);
            }
        } else {
            let again = self.count_attempt(failed);
            self.retry(now, again, batch.failures);
        }
    }

    /// Counts the attempt in which these entries failed. Returns those that may be tried again; the
    /// others are parked.
    fn count_attempt(&mut self, failed: Vec<EntryKey>) -> Vec<EntryKey> {
        let mut again = Vec::new();
        let mut counts = Vec::new();
        let mut refused = Vec::new();
        for key in failed {
            let Some(entry) = self.table.get_mut(key) else {
                continue;
            };
            if entry.state == EntryState::Lost {
                self.table.remove(key);
            } else if self.settings.allows_retry(entry.attempt) {
                entry.attempt = entry.attempt.saturating_add(1);
                counts.push((key, entry.attempt));
                again.push(key);
            } else {
                entry.state = EntryState::Refused(ParkReason::RetriesExhausted(entry.attempt));
                refused.push(key);
            }
        }
        if !counts.is_empty() {
            self.actions.push(RedisStreamAction::Count(counts));
        }
        self.settle(refused);
        again
    }

    /// Schedules the next attempt of entries that failed.
    fn retry(&mut self, now: Millis, keys: Vec<EntryKey>, failures: u32) {
        let keys = self.keep(keys, EntryState::Retrying);
        if !keys.is_empty() {
            let failures = failures.saturating_add(1);
            let due = self.pause(now, failures);
            self.retries.push((due, EntryBatch::failed(keys, failures)));
        }
    }

    /// Sets the state of entries whose invocation ended, and drops those that another consumer has
    /// taken over, or that a drain leaves to the group.
    fn keep(&mut self, keys: Vec<EntryKey>, state: EntryState) -> Vec<EntryKey> {
        let mut kept = Vec::new();
        for key in keys {
            match self.table.get_mut(key) {
                Some(entry) if entry.state != EntryState::Lost && self.mode != Mode::Drains => {
                    entry.state = state;
                    kept.push(key);
                }
                _ => self.table.remove(key),
            }
        }
        kept
    }

    /// Acknowledges or parks entries, according to their state.
    pub(super) fn settle(&mut self, keys: impl IntoIterator<Item = EntryKey>) {
        let mut done = Vec::new();
        let mut refused = Vec::new();
        for key in keys {
            match self.table.get(key).map(|entry| entry.state) {
                Some(EntryState::Done) => done.push(key),
                Some(EntryState::Refused(reason)) => refused.push((key, reason)),
                _ => {}
            }
        }
        if !done.is_empty() {
            self.actions.push(RedisStreamAction::Acknowledge(done));
        }
        if !refused.is_empty() {
            self.actions.push(RedisStreamAction::Park(refused));
        }
    }

    pub(super) fn settle_again(&mut self, now: Millis) {
        if now >= self.settle_at && !self.unsettled.is_empty() {
            let keys = std::mem::take(&mut self.unsettled);
            self.settle(keys);
        }
    }

    /// Drops entries that this consumer no longer holds. Those at the function end there.
    pub(super) fn lost(&mut self, lost: &[EntryKey]) {
        let mut gone = BTreeSet::new();
        for key in lost {
            match self.table.get_mut(*key) {
                Some(entry) if entry.state == EntryState::InFlight => {
                    entry.state = EntryState::Lost;
                }
                Some(entry) if !entry.state.is_settling() && entry.state != EntryState::Lost => {
                    gone.insert(*key);
                }
                _ => {}
            }
        }
        if gone.is_empty() {
            return;
        }
        for key in &gone {
            self.table.remove(*key);
        }
        let waiting = self.retries.iter_mut().map(|(_, batch)| batch);
        for batch in waiting.chain(&mut self.closed).chain([&mut self.open]) {
            batch.keys.retain(|key| !gone.contains(key));
        }
        self.retries.retain(|(_, batch)| !batch.keys.is_empty());
        self.closed.retain(|batch| !batch.keys.is_empty());
    }

    /// Drops everything: the group no longer contains it.
    pub(super) fn recreated(&mut self) {
        self.open = EntryBatch::default();
        self.closed.clear();
        self.retries.clear();
        self.unsettled.clear();
        // they keep their permit until they end; ids of new entries may be the same
        for batch in self.in_flight.values_mut() {
            batch.keys.clear();
        }
        self.table.retain(|_| false);
    }

    /// Drops everything that has not begun: the group keeps it.
    pub(super) fn drain(&mut self) {
        self.mode = Mode::Drains;
        self.open = EntryBatch::default();
        self.closed.clear();
        self.retries.clear();
        self.table
            .retain(|entry| !matches!(entry.state, EntryState::Queued | EntryState::Retrying));
    }
}
