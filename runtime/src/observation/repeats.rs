//! Limits the log lines of repeated errors: the first one is logged, later ones are counted and
//! logged at growing intervals. No clock: time is a parameter.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Interval between the first two lines of an error; doubles with every further line.
pub const FIRST_AGAIN: Duration = Duration::from_secs(10);

/// Upper bound of the interval.
pub const MAX_INTERVAL: Duration = Duration::from_secs(600);

/// Maximum of different errors of a key; further ones count as the last.
const MAX_ERRORS: usize = 8;

#[derive(Debug)]
struct Repeated {
    error: String,
    times: u64,
    last: Instant,
    due: Instant,
    pause: Duration,
}

/// Errors by key, such as a partition, a destination or a queue.
#[derive(Debug)]
pub struct Repeats<K>(BTreeMap<K, Vec<Repeated>>);

impl<K> Default for Repeats<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord + Clone> Repeats<K> {
    /// Whether no key has an error.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts an error. Returns its number of occurrences if a log line is due. `error` identifies
    /// it among the errors of the key and must not contain offsets or times.
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

    /// Ends the errors of this key. Returns their number, if there were any.
    pub fn over(&mut self, key: &K) -> Option<u64> {
        Some(self.0.remove(key)?.iter().map(|error| error.times).sum())
    }

    /// Ends the errors of keys without an error for that long. Returns these keys.
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
