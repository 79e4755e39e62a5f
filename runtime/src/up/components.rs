//! Sets of components: supervised tasks that run until the host drains.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::supervision::{ComponentRegistry, supervise};

/// Interval at which a drain logs the components that it waits for.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Components that drain together.
#[derive(Debug)]
pub(super) struct ComponentSet {
    registry: ComponentRegistry,
    stopping: watch::Receiver<bool>,
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, String>,
}

impl ComponentSet {
    /// A set of components that are registered, and end after `stopping` turned true.
    pub(super) fn new(registry: &ComponentRegistry, stopping: &watch::Receiver<bool>) -> Self {
        Self {
            registry: registry.clone(),
            stopping: stopping.clone(),
            tasks: JoinSet::new(),
            names: HashMap::new(),
        }
    }

    /// Turns true when the host drains.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    /// Starts a component. `name` is for messages.
    pub(super) fn start(
        &mut self,
        name: impl Into<String>,
        component: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        self.names
            .insert(self.tasks.spawn(component).id(), name.into());
    }

    /// Starts a component that is restarted whenever it ends before the host drains.
    pub(super) fn supervise<S, F>(&mut self, name: &str, run: S)
    where
        S: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let component = self.registry.component(name);
        self.start(name, supervise(component, self.stopping(), run));
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits for every component. Logs each that failed, and after [`LOG_INTERVAL`] those it waits
    /// for.
    pub(super) async fn drained(&mut self) {
        let started = Instant::now();
        let mut next_log = started + LOG_INTERVAL;
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => {
                    if let Some(why) = self.failure(ended) {
                        tracing::error!("{why}");
                    }
                }
                () = tokio::time::sleep_until(next_log) => {
                    next_log += LOG_INTERVAL;
                    let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
                    names.sort_unstable();
                    tracing::warn!(
                        "still draining after {} s: {}",
                        started.elapsed().as_secs(),
                        names.join(", ")
                    );
                }
            }
        }
    }

    /// Why a component failed, if it did.
    fn failure(&mut self, ended: Result<(Id, Result<(), String>), JoinError>) -> Option<String> {
        match ended {
            Ok((id, result)) => {
                self.names.remove(&id);
                result.err()
            }
            Err(error) => {
                let name = self.names.remove(&error.id()).unwrap_or_default();
                Some(format!("{name}: {error}"))
            }
        }
    }
}
