//! The state of every component: whether it runs, its restarts, why it ended. Time is a parameter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use serde::Serialize;

use super::backoff::STEADY;
use crate::lock::lock;

/// The state of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentStatus {
    /// Name: `mapping Worker.Orders`, `schedule Worker.Tick`, `function Worker`, `asynchronous
    /// events`.
    pub part: String,
    /// It runs, and did not end within the last [`STEADY`].
    pub up: bool,
    /// Starts after the first.
    pub restarts: u64,
    /// Why it ended last; `None` while it is up.
    pub problem: Option<String>,
}

#[derive(Debug, Default)]
struct ComponentState {
    /// Since when it runs; `None` between an end and the next start.
    running: Option<Instant>,
    ends: u64,
    starts: u64,
    problem: Option<String>,
}

#[derive(Debug, Default)]
struct RegistryInner {
    parts: Mutex<BTreeMap<Arc<str>, ComponentState>>,
    /// Components, and threads of components, that must panic once, on purpose.
    panics: Mutex<BTreeSet<String>>,
    /// Names of threads of components.
    threads: Mutex<BTreeSet<String>>,
}

/// All components of a host. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ComponentRegistry(Arc<RegistryInner>);

impl ComponentRegistry {
    /// A registry whose components of these names panic once each.
    pub fn panicking(names: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(RegistryInner {
            panics: Mutex::new(names.into_iter().collect()),
            ..RegistryInner::default()
        }))
    }

    /// Registers a component, which does not run yet.
    pub fn component(&self, name: impl Into<Arc<str>>) -> Component {
        let name = name.into();
        lock(&self.0.parts).entry(name.clone()).or_default();
        Component {
            name,
            registry: self.clone(),
        }
    }

    /// Every component, by name. One that was not started yet counts as up.
    pub fn status(&self, now: Instant) -> Vec<ComponentStatus> {
        let one = |(name, state): (&Arc<str>, &ComponentState)| {
            let steady = state
                .running
                .is_some_and(|since| now.saturating_duration_since(since) >= STEADY);
            let up = state.ends == 0 || steady;
            ComponentStatus {
                part: name.to_string(),
                up,
                restarts: state.starts.saturating_sub(1),
                problem: state.problem.clone().filter(|_| !up),
            }
        };
        lock(&self.0.parts).iter().map(one).collect()
    }

    /// A component has a thread of this name, which may panic on purpose as well.
    pub fn add_thread(&self, thread: String) {
        lock(&self.0.threads).insert(thread);
    }

    /// True once if the component or thread of this name must panic on purpose.
    pub fn fault(&self, name: &str) -> bool {
        lock(&self.0.panics).remove(name)
    }

    /// Names to panic that are neither a component nor a thread of this host.
    pub fn unknown_faults(&self) -> Vec<String> {
        let parts = lock(&self.0.parts);
        let threads = lock(&self.0.threads);
        let known = |name: &String| parts.contains_key(name.as_str()) || threads.contains(name);
        lock(&self.0.panics)
            .iter()
            .filter(|name| !known(name))
            .cloned()
            .collect()
    }
}

/// The handle of one component. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Component {
    name: Arc<str>,
    registry: ComponentRegistry,
}

impl Component {
    /// The name for logs and the status.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Records a start.
    pub fn started(&self, now: Instant) {
        let mut parts = lock(&self.registry.0.parts);
        let state = parts.entry(self.name.clone()).or_default();
        state.running = Some(now);
        state.starts += 1;
    }

    /// Records an end.
    pub fn ended(&self, why: &str) {
        let mut parts = lock(&self.registry.0.parts);
        let state = parts.entry(self.name.clone()).or_default();
        state.running = None;
        state.ends += 1;
        state.problem = Some(why.to_owned());
    }

    /// True once if the component must panic on purpose.
    pub(super) fn must_panic(&self) -> bool {
        self.registry.fault(&self.name)
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
