//! Forms batches, bounded by count and bytes.

use std::collections::VecDeque;

use super::{EntryKey, RedisStreamSettings};
use crate::Millis;

/// The entries of one invocation, in the order in which they were read.
#[derive(Debug, Default)]
pub(super) struct EntryBatch {
    pub(super) keys: Vec<EntryKey>,
    bytes: usize,
    /// When the first entry was read.
    pub(super) since: Millis,
    /// How often it failed, in this or a larger composition.
    pub(super) failures: u32,
}

impl EntryBatch {
    /// A batch of entries that failed.
    pub(super) fn failed(keys: Vec<EntryKey>, failures: u32) -> Self {
        Self {
            keys,
            failures,
            ..Self::default()
        }
    }

    /// Whether no entry of any size fits.
    pub(super) fn is_full(&self, settings: &RedisStreamSettings) -> bool {
        self.keys.len() >= settings.batch_size
            || settings.envelope + self.bytes >= settings.max_payload
    }
}

/// Adds an entry to the open batch. If it does not fit, the batch moves to `closed` and a new one
/// opens, which accepts any size: an entry beyond the limit travels alone.
pub(super) fn add(
    open: &mut EntryBatch,
    (key, size): (EntryKey, usize),
    now: Millis,
    settings: &RedisStreamSettings,
    closed: &mut VecDeque<EntryBatch>,
) {
    let fits = open.keys.len() < settings.batch_size
        && settings.envelope + open.bytes + size <= settings.max_payload;
    if !fits && !open.keys.is_empty() {
        closed.push_back(std::mem::take(open));
    }
    if open.keys.is_empty() {
        open.since = now;
    }
    open.keys.push(key);
    open.bytes += size;
}
