//! The components of a host: declared, started in order, drained in stages.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::supervision::{ComponentError, ComponentRegistry, DrainStage, supervise};

/// Interval at which a drain logs the components that it waits for.
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// What one run of a component ends with.
type RunResult = Result<(), Box<dyn Error + Send + Sync>>;

/// A run of a component, which ends after the flag turned true.
type StartRun = Box<dyn FnMut(watch::Receiver<bool>) -> BoxFuture<'static, RunResult> + Send>;

/// A component that a host declares: supervised, and restarted when it ends by itself.
pub(super) struct HostComponent {
    pub(super) name: String,
    pub(super) drain: DrainStage,
    start: StartRun,
}

impl HostComponent {
    /// `start` creates the future of each run. It resolves once the flag that it receives has turned
    /// true and the component has drained; an error, or a panic, is followed by another run.
    pub(super) fn new<F, E>(
        name: impl Into<String>,
        drain: DrainStage,
        mut start: impl FnMut(watch::Receiver<bool>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + 'static,
    {
        Self {
            name: name.into(),
            drain,
            start: Box::new(move |stopping| {
                let run = start(stopping);
                async move { run.await.map_err(Into::into) }.boxed()
            }),
        }
    }
}

/// The components that run. Dropping it ends them without a drain.
#[derive(Debug)]
pub(super) struct RunningComponents {
    stop: watch::Sender<bool>,
    /// Stays false: a component that observes the drain is restarted in it as well.
    _observe: watch::Sender<bool>,
    sets: BTreeMap<DrainStage, ComponentSet>,
}

impl RunningComponents {
    /// Starts components in the order of their stages.
    pub(super) fn start(mut components: Vec<HostComponent>, registry: &ComponentRegistry) -> Self {
        let (stop, stopping) = watch::channel(false);
        let (observe, observing) = watch::channel(false);
        let mut sets: BTreeMap<DrainStage, ComponentSet> = BTreeMap::new();
        DrainStage::sort(&mut components, |component| component.drain);
        for HostComponent {
            name,
            drain,
            mut start,
        } in components
        {
            let part = registry.component(name.as_str());
            let stopping = match drain {
                DrainStage::AfterFunctions => observing.clone(),
                DrainStage::BeforeFunctions | DrainStage::WithFunctions => stopping.clone(),
            };
            let run = supervise(part, stopping.clone(), move || start(stopping.clone()));
            sets.entry(drain).or_default().spawn(name, run);
        }
        Self {
            stop,
            _observe: observe,
            sets,
        }
    }

    /// The drain begins: every component but those that observe it stops to accept work.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until every component of this stage has drained.
    pub(super) async fn drained(&mut self, stage: DrainStage) {
        if let Some(set) = self.sets.get_mut(&stage) {
            set.drained().await;
        }
    }
}

/// Components that drain together.
#[derive(Debug, Default)]
struct ComponentSet {
    tasks: JoinSet<Result<(), ComponentError>>,
    names: HashMap<Id, String>,
}

impl ComponentSet {
    fn spawn(
        &mut self,
        name: String,
        component: impl Future<Output = Result<(), ComponentError>> + Send + 'static,
    ) {
        self.names.insert(self.tasks.spawn(component).id(), name);
    }

    /// Waits for every component. Logs each that failed, and after [`LOG_INTERVAL`] those it waits
    /// for.
    async fn drained(&mut self) {
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
    fn failure(
        &mut self,
        ended: Result<(Id, Result<(), ComponentError>), JoinError>,
    ) -> Option<String> {
        match ended {
            Ok((id, result)) => {
                self.names.remove(&id);
                result.err().map(|error| error.to_string())
            }
            Err(error) => {
                let name = self.names.remove(&error.id()).unwrap_or_default();
                Some(format!("{name}: {error}"))
            }
        }
    }
}

#[cfg(test)]
#[path = "components_tests.rs"]
mod tests;
