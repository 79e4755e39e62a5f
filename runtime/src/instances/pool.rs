//! The pool of all functions: finds the function of an invocation, and waits for the outcome.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::driver::{Driver, Runner};
use super::environment::arn;
use super::log_record::LogStyle;
use super::logs::Logs;
use super::machine::{Input, MachineSettings};
use super::stats::PoolStats;
use crate::faults::{FaultPlan, Kill};
use crate::ids::new_id;
use crate::invocation::{Invoke, MAX_PAYLOAD, Rejected, Request, Response};
use crate::observation::Observations;
use crate::supervision::ComponentRegistry;
use sam_template::model::Application;

/// Instances of a function at most, where neither the template nor usher.toml sets a limit.
pub(crate) const DEFAULT_CONCURRENCY: usize = 16;

/// Name of the component that applies deadlines and other times of all processes.
const TICKER: &str = "function timers";

/// Limits of the pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Instances at most of a function without a limit of its own.
    pub default_concurrency: usize,
    /// An instance idle for so long is stopped.
    pub idle: Duration,
    /// Processes of all functions at one time at most, which the host's open files bound.
    pub processes: usize,
    /// Open files that a function's process may have (its soft limit); `None`: as many as this
    /// process.
    pub open_files: Option<u64>,
    /// Time a drain waits for invocations in flight before it kills them.
    pub drain: Duration,
    /// Faults to inject.
    pub faults: FaultPlan,
    /// Where the functions' output goes.
    pub logs: Logs,
    /// Counts and keeps what happens.
    pub observations: Observations,
    /// Registry of the host's components, among them each function's processes.
    pub parts: ComponentRegistry,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            default_concurrency: DEFAULT_CONCURRENCY,
            idle: Duration::from_mins(5),
            processes: usize::MAX,
            open_files: None,
            drain: Duration::from_secs(20),
            logs: Logs::stdout(LogStyle::Lambda, None).0,
            faults: FaultPlan::default(),
            observations: Observations::default(),
            parts: ComponentRegistry::default(),
        }
    }
}

/// Runs functions as processes.
#[derive(Debug)]
pub struct Pool {
    driver: Arc<Driver>,
    drain: Duration,
    faults: FaultPlan,
    /// Invocations received, for the plan of faults.
    received: AtomicU64,
}

impl Pool {
    /// A pool of the application's functions that have an executable (`executables`, by logical
    /// id). Processes start with the first invocation. Must be called within a tokio runtime.
    pub fn new(
        app: &Application,
        executables: &BTreeMap<String, PathBuf>,
        options: &PoolOptions,
    ) -> Arc<Self> {
        let runners = app.functions.values().filter_map(|function| {
            let executable = executables.get(&function.id)?.clone();
            let part = options.parts.component(format!("function {}", function.id));
            part.started(Instant::now());
            let limit = function.max_instances().map(|limit| limit as usize);
            Some(Runner {
                arn: arn(function),
                executable,
                limit: limit.unwrap_or(options.default_concurrency),
                log: options
                    .logs
                    .of(&function.id, &function.logging, function.initialization()),
                observer: options.observations.of(&function.id),
                part,
                freed: Notify::new(),
                function: function.clone(),
            })
        });
        let ticker = options.parts.component(TICKER);
        let settings = MachineSettings {
            processes: options.processes,
            idle: options.idle,
            freeze: options.faults.freeze,
        };
        Arc::new(Self {
            driver: Driver::new(settings, runners.collect(), options.open_files, ticker),
            drain: options.drain,
            faults: options.faults,
            received: AtomicU64::new(0),
        })
    }

    /// The state of every function, with its counts since the start.
    pub fn stats(&self) -> PoolStats {
        let now = Instant::now();
        let functions = self.driver.read(|machine| machine.stats(now).collect());
        PoolStats { functions }
    }

    /// Changes the concurrency limit of a function. Instances above it stop once they are idle.
    /// False: there is no such function.
    pub fn set_limit(&self, function: &str, limit: NonZeroUsize) -> bool {
        let function = self.driver.index(function);
        function
            .map(|function| self.driver.apply(Input::Limit(function, limit.get())))
            .is_some()
    }

    /// Refuses new invocations, waits for those in flight (at most [`PoolOptions::drain`]), then
    /// ends every process.
    pub async fn shutdown(&self) {
        self.driver.drain(self.drain);
        self.driver.drained().await;
    }
}

impl Drop for Pool {
    /// Without a shutdown before, ends every process at once.
    fn drop(&mut self) {
        self.driver.drain(Duration::ZERO);
    }
}

#[async_trait::async_trait]
impl Invoke for Pool {
    async fn invoke(
        &self,
        mut request: Request,
        wait_for_slot: bool,
    ) -> Result<Response, Rejected> {
        if self.faults.is_none() {
            return self.run(request, wait_for_slot, None).await;
        }
        let faults = self
            .faults
            .of(self.received.fetch_add(1, Ordering::Relaxed));
        tokio::time::sleep(faults.delay).await;
        request.request_id.get_or_insert_with(new_id);
        let duplicate = faults.duplicate.then(|| request.clone());
        let response = self.run(request, wait_for_slot, faults.kill).await;
        if let Some(duplicate) = duplicate.filter(|_| response.is_ok()) {
            // the second answer is dropped; the first waits for it, so that the duplicate ends
            // before the caller's next event
            let _ = self.run(duplicate, true, None).await;
        }
        response
    }

    async fn ready(&self, function: &str) {
        // the invocation reports an unknown function
        if let Some(function) = self.driver.index(function) {
            self.driver.available(function).await;
        }
    }
}

impl Pool {
    /// Runs one invocation to its end.
    async fn run(
        &self,
        request: Request,
        wait_for_slot: bool,
        kill: Option<Kill>,
    ) -> Result<Response, Rejected> {
        let Some(function) = self.driver.index(&request.function) else {
            return Err(Rejected::NotFound(request.function));
        };
        if request.records == 0 && request.payload.len() > MAX_PAYLOAD {
            return Err(Rejected::TooLarge(request.payload.len()));
        }
        let driver = &self.driver;
        driver.invoke(function, request, wait_for_slot, kill).await
    }
}
