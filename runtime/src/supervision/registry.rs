//! What is known of every part: whether it runs, how often it was started again, why it ended. No clock: time is a parameter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;

use super::backoff::STEADY;

/// One part, at a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartStatus {
    /// Its name: `mapping Worker.Orders`, `schedule Worker.Tick`, `function Worker`, `asynchronous events`.
    pub part: String,
    /// It runs, and has not ended within the last [`STEADY`].
    pub up: bool,
    /// Starts after the first.
    pub restarts: u64,
    /// Why it ended last; `None` once it is up.
    pub problem: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when it runs; `None` between an end and the next start.
    running: Option<Instant>,
    ends: u64,
    starts: u64,
    problem: Option<String>,
}

#[derive(Debug, Default)]
struct Inner {
    parts: Mutex<BTreeMap<Arc<str>, State>>,
    /// Parts, and threads of parts, that are to panic once, on purpose.
    panics: Mutex<BTreeSet<String>>,
    /// Threads of parts, by name.
    threads: Mutex<BTreeSet<String>>,
}

/// All parts of a host. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Registry(Arc<Inner>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// A registry whose parts of these names panic once each.
    pub fn panicking(names: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(Inner {
            panics: Mutex::new(names.into_iter().collect()),
            ..Inner::default()
        }))
    }

    /// A part of this name, which does not run yet.
    pub fn part(&self, name: impl Into<Arc<str>>) -> Part {
        let name = name.into();
        locked(&self.0.parts).entry(name.clone()).or_default();
        Part {
            name,
            registry: self.clone(),
        }
    }

    /// Every part, by name. One that has not been started for the first time yet counts as up.
    pub fn status(&self, now: Instant) -> Vec<PartStatus> {
        let one = |(name, state): (&Arc<str>, &State)| {
            let steady = state
                .running
                .is_some_and(|since| now.saturating_duration_since(since) >= STEADY);
            let up = state.ends == 0 || steady;
            PartStatus {
                part: name.to_string(),
                up,
                restarts: state.starts.saturating_sub(1),
                problem: state.problem.clone().filter(|_| !up),
            }
        };
        locked(&self.0.parts).iter().map(one).collect()
    }

    /// A part has a thread of this name, which may panic on purpose as well.
    pub fn add_thread(&self, thread: String) {
        locked(&self.0.threads).insert(thread);
    }

    /// True once where the part or thread of this name is to panic on purpose.
    pub fn fault(&self, name: &str) -> bool {
        locked(&self.0.panics).remove(name)
    }

    /// Names that were to panic and are neither part nor thread of this host.
    pub fn unknown_faults(&self) -> Vec<String> {
        let parts = locked(&self.0.parts);
        let threads = locked(&self.0.threads);
        let known = |name: &String| parts.contains_key(name.as_str()) || threads.contains(name);
        locked(&self.0.panics)
            .iter()
            .filter(|name| !known(name))
            .cloned()
            .collect()
    }
}

/// One part's entry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Part {
    name: Arc<str>,
    registry: Registry,
}

impl Part {
    /// For messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// It starts.
    pub fn started(&self, now: Instant) {
        let mut parts = locked(&self.registry.0.parts);
        let state = parts.entry(self.name.clone()).or_default();
        state.running = Some(now);
        state.starts += 1;
    }

    /// It ended.
    pub fn ended(&self, why: &str) {
        let mut parts = locked(&self.registry.0.parts);
        let state = parts.entry(self.name.clone()).or_default();
        state.running = None;
        state.ends += 1;
        state.problem = Some(why.to_owned());
    }

    /// True once where the part is to panic on purpose.
    pub(super) fn is_to_panic(&self) -> bool {
        self.registry.fault(&self.name)
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
