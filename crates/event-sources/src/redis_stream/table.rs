//! The entries that this consumer holds, with the state of each.

use std::collections::BTreeMap;

use super::{EntryContent, EntryKey, ParkReason, RedisStreamOverview};
use crate::Millis;

/// An entry between its delivery and its end.
#[derive(Debug)]
pub(super) struct HeldEntry {
    pub(super) added: Millis,
    /// The number of the current or next attempt.
    pub(super) attempt: u32,
    size: usize,
    pub(super) state: EntryState,
}

/// The state of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryState {
    /// In a batch that is being gathered or waits for a permit.
    Queued,
    InFlight,
    /// At the function, while another consumer has taken it over.
    Lost,
    /// Failed; waits for its next attempt.
    Retrying,
    /// To be acknowledged.
    Done,
    /// To be parked.
    Refused(ParkReason),
}

impl EntryState {
    /// Whether the entry is being acknowledged or parked.
    pub(super) fn is_settling(self) -> bool {
        matches!(self, Self::Done | Self::Refused(_))
    }
}

/// All held entries.
#[derive(Debug, Default)]
pub(super) struct EntryTable {
    entries: BTreeMap<EntryKey, HeldEntry>,
    bytes: usize,
}

impl EntryTable {
    pub(super) fn insert(
        &mut self,
        key: EntryKey,
        (added, attempt): (Millis, u32),
        content: EntryContent,
    ) {
        let (size, state) = match content {
            EntryContent::Record(size) => (size, EntryState::Queued),
            EntryContent::Filtered => (0, EntryState::Done),
            EntryContent::Unreadable => (0, EntryState::Refused(ParkReason::Unreadable)),
        };
        self.bytes += size;
        let entry = HeldEntry {
            added,
            attempt,
            size,
            state,
        };
        self.entries.insert(key, entry);
    }

    pub(super) fn remove(&mut self, key: EntryKey) {
        if let Some(entry) = self.entries.remove(&key) {
            self.bytes -= entry.size;
        }
    }

    /// Removes every entry for which `keep` is false.
    pub(super) fn retain(&mut self, keep: impl Fn(&HeldEntry) -> bool) {
        self.entries.retain(|_, entry| keep(entry));
        self.bytes = self.entries.values().map(|entry| entry.size).sum();
    }

    pub(super) fn get(&self, key: EntryKey) -> Option<&HeldEntry> {
        self.entries.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: EntryKey) -> Option<&mut HeldEntry> {
        self.entries.get_mut(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (EntryKey, &HeldEntry)> {
        self.entries.iter().map(|(key, entry)| (*key, entry))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of all records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn overview(&self) -> RedisStreamOverview {
        let mut overview = RedisStreamOverview::default();
        for entry in self.entries.values() {
            let count = match entry.state {
                EntryState::Queued => &mut overview.held,
                EntryState::InFlight | EntryState::Lost => &mut overview.in_flight,
                EntryState::Retrying => &mut overview.retrying,
                EntryState::Done | EntryState::Refused(_) => &mut overview.settling,
            };
            *count += 1;
        }
        overview.oldest = self.entries.values().map(|entry| entry.added).min();
        overview
    }
}
