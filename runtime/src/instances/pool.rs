//! The pool of all functions: finds the function, submits the job to its dispatcher, and waits for
//! the outcome.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{Notify, oneshot};

use super::dispatch::{Dispatcher, Submission};
use super::job::{Job, JobResult};
use super::logs::Logs;
use super::process_limit::ProcessLimit;
use super::reaper::Reaper;
use super::runner::{Counters, Runner};
use super::stats::{FunctionStats, PoolStats};
use super::supervisor;
use crate::faults::{FaultPlan, Kill};
use crate::ids::{new_id, new_trace_id};
use crate::invocation::{Invoke, MAX_PAYLOAD, Outcome, Rejected, Request, Response};
use crate::observation::Observations;
use crate::supervision::ComponentRegistry;
use sam_template::model::Application;

/// Instances of a function at most, where neither the template nor usher.toml sets a limit.
pub(crate) const DEFAULT_CONCURRENCY: usize = 16;

/// Limits of the pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Instances at most of a function without `ReservedConcurrentExecutions`.
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
            logs: Logs::stdout(),
            faults: FaultPlan::default(),
            observations: Observations::default(),
            parts: ComponentRegistry::default(),
        }
    }
}

/// Runs functions as processes.
#[derive(Debug)]
pub struct Pool {
    runners: BTreeMap<String, Arc<Runner>>,
    draining: AtomicBool,
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
        let reaper = Arc::new(Reaper::start());
        let processes = ProcessLimit::new(options.processes);
        let runners = app.functions.values().filter_map(|function| {
            let executable = executables.get(&function.id)?.clone();
            let part = options.parts.component(format!("function {}", function.id));
            part.started(Instant::now());
            let limit = function
                .concurrency
                .map_or(options.default_concurrency, |limit| limit as usize);
            let runner = Runner {
                executable,
                idle: options.idle,
                open_files: options.open_files,
                processes: processes.clone(),
                freeze: options.faults.freeze,
                dispatcher: Arc::new(Dispatcher::new(limit)),
                log: options.logs.of(&function.id, &function.logging),
                observer: options.observations.of(&function.id),
                counters: Counters::default(),
                reaper: reaper.clone(),
                part,
                backoff: Mutex::default(),
                ended: Notify::new(),
                function: function.clone(),
            };
            Some((function.id.clone(), Arc::new(runner)))
        });
        let runners: BTreeMap<String, Arc<Runner>> = runners.collect();
        processes.set_dispatchers(runners.values().map(|runner| &runner.dispatcher));
        Arc::new(Self {
            runners,
            draining: AtomicBool::new(false),
            drain: options.drain,
            faults: options.faults,
            received: AtomicU64::new(0),
        })
    }

    /// The state of every function, with its counts since the start.
    pub fn stats(&self) -> PoolStats {
        let functions = self.runners.iter().map(|(id, runner)| {
            let counters = &runner.counters;
            FunctionStats {
                function: id.clone(),
                invocations: counters.invocations.get(),
                errors: counters.errors.get(),
                throttles: counters.throttles.get(),
                cold_starts: counters.cold_starts.get(),
                queued: runner.dispatcher.queued(),
                limit: runner.dispatcher.limit(),
                instances: runner
                    .dispatcher
                    .instances()
                    .iter()
                    .map(|instance| instance.stats())
                    .collect(),
            }
        });
        PoolStats {
            functions: functions.collect(),
        }
    }

    /// Changes the concurrency limit of a function. Instances above it stop once they are idle.
    /// False: there is no such function.
    pub fn set_limit(&self, function: &str, limit: NonZeroUsize) -> bool {
        let Some(runner) = self.runners.get(function) else {
            return false;
        };
        let change = runner.dispatcher.set_limit(limit);
        for worker in change.excess {
            worker.stop_if_idle();
        }
        for id in change.start {
            supervisor::spawn(runner.clone(), id);
        }
        true
    }

    /// Refuses new invocations, waits for those in flight (at most [`PoolOptions::drain`]), then
    /// ends every process.
    pub async fn shutdown(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let deadline = tokio::time::Instant::now() + self.drain;
        for runner in self.runners.values() {
            runner.dispatcher.drain();
        }
        for runner in self.runners.values() {
            // idle instances stop first, busy ones as they finish
            loop {
                let ended = runner.ended.notified();
                let instances = runner.dispatcher.instances();
                let out_of_time = tokio::time::Instant::now() >= deadline;
                for instance in instances
                    .iter()
                    .filter(|instance| out_of_time || !instance.is_busy())
                {
                    instance.stop();
                }
                if runner.dispatcher.instance_count() == 0 {
                    break;
                }
                // no notification comes when a busy instance becomes idle: check again shortly
                let _ = tokio::time::timeout(Duration::from_millis(20), ended).await;
            }
        }
    }
}

impl Drop for Pool {
    /// Without a shutdown before, ends every process at once.
    fn drop(&mut self) {
        for runner in self.runners.values() {
            runner.dispatcher.drain();
            for instance in runner.dispatcher.instances() {
                instance.stop();
            }
            runner.dispatcher.release_instances();
        }
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
        if let Some(runner) = self.runners.get(function) {
            runner.dispatcher.available().await;
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
        let runner = self
            .runners
            .get(&request.function)
            .ok_or_else(|| Rejected::NotFound(request.function.clone()))?;
        if request.records == 0 && request.payload.len() > MAX_PAYLOAD {
            return Err(Rejected::TooLarge(request.payload.len()));
        }
        if self.draining.load(Ordering::SeqCst) {
            return Err(Rejected::ShuttingDown);
        }
        let request_id: Arc<str> = request.request_id.unwrap_or_else(new_id).into();
        let (reply, outcome) = oneshot::channel();
        let job = Job {
            request_id: request_id.clone(),
            payload: request.payload,
            trace_id: request.trace_id.unwrap_or_else(new_trace_id),
            client_context: request.client_context.map(Arc::from),
            qualifier: request.qualifier,
            records: request.records,
            kill,
            queue_at_limit: wait_for_slot,
            begun: request.begun,
            reply,
        };
        match runner.dispatcher.submit(job) {
            Submission::Assigned | Submission::Queued => {}
            Submission::Start(id) => supervisor::spawn(runner.clone(), id),
            Submission::Draining => return Err(Rejected::ShuttingDown),
            Submission::Throttled => {
                runner.counters.throttles.increment();
                return Err(Rejected::Throttled(runner.limit()));
            }
        }
        let outcome = match request.start_by {
            Some(latest) => {
                let Some(outcome) =
                    begun_by(latest, &runner.dispatcher, &request_id, outcome).await
                else {
                    runner.counters.throttles.increment();
                    return Err(Rejected::Throttled(runner.limit()));
                };
                outcome
            }
            None => outcome.await,
        };
        // the channel is closed without an outcome only where a drain empties the queue
        let outcome = outcome.unwrap_or(Err(Rejected::ShuttingDown));
        if matches!(outcome, Err(Rejected::NoCapacity { .. })) {
            runner.counters.throttles.increment();
        }
        let outcome = outcome?;
        runner.counters.invocations.increment();
        if matches!(outcome, Outcome::Error(_)) {
            runner.counters.errors.increment();
        }
        Ok(Response {
            request_id: request_id.to_string(),
            outcome,
        })
    }
}

/// The outcome of a job that an instance took by `latest`; `None`: the job was taken back.
async fn begun_by(
    latest: Instant,
    dispatcher: &Dispatcher,
    request_id: &str,
    mut outcome: oneshot::Receiver<JobResult>,
) -> Option<Result<JobResult, RecvError>> {
    tokio::select! {
        outcome = &mut outcome => return Some(outcome),
        () = tokio::time::sleep_until(latest.into()) => {}
    }
    if dispatcher.take_back(request_id) {
        None
    } else {
        Some(outcome.await)
    }
}
