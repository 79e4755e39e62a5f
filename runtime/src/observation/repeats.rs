//! Repeated errors: the first is logged, the others are counted, and a line at growing intervals
//! reports the count.
//!
//! No clock: time is a parameter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Time between the first line of an error and the second; it doubles with each further line.
pub const FIRST_AGAIN: Duration = Duration::from_secs(10);

/// Longest time between two lines of one error.
pub const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// Maximum of different errors of one key; further ones are counted with the last.
const MAX_ERRORS: usize = 8;

#[derive(Debug)]
struct Repeated {
    error: String,
    times: u64,
    last: Instant,
    due: Instant,
    pause: Duration,
}

/// The errors of several keys: partitions, destinations, queues.
#[derive(Debug)]
pub struct Repeats<K>(BTreeMap<K, Vec<Repeated>>);

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Repeats<K> {
    /// Whether no error is current.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An error occurred. `Some`: a line is due, with the count so far. `error` identifies it among
    /// the errors of the key, so it must contain no offset and no time.
    pub fn failed(&mut self, now: Instant, key: K, error: &str) -> Option<u64> {
        let errors = self.0.entry(key).or_default();
        let full = errors.len() >= MAX_ERRORS;
        let known = errors
            .iter()
            .position(|known| known.error == error)
            .or(full.then_some(MAX_ERRORS - 1));
        let Some(known) = known.and_then(|at| errors.get_mut(at)) else {
            errors.push(Repeated {
                error: error.to_owned(),
                times: 1,
                last: now,
                due: now + FIRST_AGAIN,
                pause: FIRST_AGAIN,
            });
            return Some(1);
        };
        known.times += 1;
        known.last = now;
        if now < known.due {
            return None;
        }
        known.pause = known.pause.saturating_mul(2).min(MAX_INTERVAL);
        known.due = now + known.pause;
        Some(known.times)
    }

    /// The errors of this key are over. `Some`: their count.
    pub fn over(&mut self, key: &K) -> Option<u64> {
        Some(self.0.remove(key)?.iter().map(|error| error.times).sum())
    }

    /// Ends the errors of keys without an error for the time `after`. Returns these keys.
    pub fn expire(&mut self, now: Instant, after: Duration) -> Vec<K> {
        let old = |errors: &Vec<Repeated>| {
            errors
                .iter()
                .all(|error| now.saturating_duration_since(error.last) >= after)
        };
        let keys: Vec<K> = self
            .0
            .iter()
            .filter(|(_, errors)| old(errors))
            .map(|(key, _)| key.clone())
            .collect();
        for key in &keys {
            self.0.remove(key);
        }
        keys
    }
}

#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;
