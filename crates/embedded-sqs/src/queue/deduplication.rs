//! Deduplication ids: a message is accepted and not delivered if another one with its id was
//! accepted within five minutes, also if that one is deleted. Pure.

use super::Queue;
use crate::Millis;
use crate::change::{Change, Deduplication};

impl Queue {
    /// The key of an id: within its group, or within the queue.
    pub(crate) fn deduplication_key(&self, group: &str, id: &str) -> String {
        if self.record.attributes.deduplicates_groups {
            // a group's id contains no space
            format!("{group} {id}")
        } else {
            id.to_owned()
        }
    }

    /// The message that suppresses others with this key.
    pub(crate) fn original(&self, key: &str) -> Option<&Deduplication> {
        self.deduplications.get(key)
    }

    pub(crate) fn suppress(&mut self, key: String, by: Deduplication, changes: &mut Vec<Change>) {
        let stored = Change::PutDeduplication(self.id, key.clone(), by.clone());
        changes.push(stored);
        self.insert_deduplication(key, by);
    }

    /// As [`Self::suppress`], for what is stored.
    pub(crate) fn insert_deduplication(&mut self, key: String, by: Deduplication) {
        self.deduplication_ends.insert((by.until, key.clone()));
        self.deduplications.insert(key, by);
    }

    pub(super) fn end_deduplications(&mut self, now: Millis, changes: &mut Vec<Change>) {
        while let Some((until, _)) = self.deduplication_ends.first()
            && *until <= now
            && let Some((_, key)) = self.deduplication_ends.pop_first()
        {
            self.deduplications.remove(&key);
            changes.push(Change::RemoveDeduplication(self.id, key));
        }
    }
}
