//! The door of the room: finds the function, hands the job to its dispatcher and waits for the outcome.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{Notify, oneshot};

use super::dispatch::{Dispatch, Job, Reply, Submitted};
use super::guardian::Guardian;
use super::logs::{FunctionLog, Logs};
use super::processes::Processes;
use super::stats::{FunctionStats, Stats};
use super::supervisor;
use crate::faults::{Kill, Plan};
use crate::invocation::{
    ConcurrencyLimit, Invoke, MAX_PAYLOAD, Outcome, Rejected, Request, Response,
};
use crate::model::{Application, Function};
use crate::observation::{FunctionObserver, Observations};
use crate::supervision::{Backoff, Part, Registry};

/// Instances of a function at most, where neither the template nor usher.toml says a number.
pub(crate) const DEFAULT_CONCURRENCY: usize = 16;

/// Limits of the pool.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// Most instances of a function whose template names no `ReservedConcurrentExecutions`.
    pub default_concurrency: usize,
    /// An instance idle this long is retired.
    pub idle: Duration,
    /// Processes of all functions at one time at most: what the host has open files for.
    pub processes: usize,
    /// Open files that a function's process may have (its soft limit); `None`: as many as this process.
    pub open_files: Option<u64>,
    /// Time a drain waits for invocations in flight before it kills them.
    pub drain: Duration,
    /// What goes wrong on purpose.
    pub faults: Plan,
    /// Where the functions' output goes.
    pub logs: Logs,
    /// Where what happens is counted and remembered.
    pub observations: Observations,
    /// Where the parts of the host are registered, each function's processes among them.
    pub parts: Registry,
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
            faults: Plan::default(),
            observations: Observations::default(),
            parts: Registry::default(),
        }
    }
}

/// Everything that the instances of one function share.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) function: Function,
    pub(super) executable: PathBuf,
    pub(super) idle: Duration,
    /// Open files that a process may have; `None`: as many as the host.
    pub(super) open_files: Option<u64>,
    /// Room for processes, shared by all functions.
    pub(super) processes: Arc<Processes>,
    /// Stop processes between invocations.
    pub(super) freeze: bool,
    pub(super) dispatch: Dispatch,
    pub(super) log: FunctionLog,
    pub(super) observer: FunctionObserver,
    pub(super) counters: Counters,
    pub(super) guardian: Arc<Guardian>,
    /// The tasks that watch its processes, as a part of the host.
    pub(super) part: Part,
    pub(super) backoff: Mutex<Backoff>,
    /// Rings when an instance ended.
    pub(super) ended: Notify,
}

impl Runner {
    /// The concurrency limit of now.
    fn limit(&self) -> ConcurrencyLimit {
        let limit = self.dispatch.most();
        let reserved = self
            .function
            .concurrency
            .is_some_and(|reserved| reserved as usize == limit);
        ConcurrencyLimit {
            function: self.function.id.clone(),
            limit,
            reserved,
        }
    }
}

/// Counts since the host started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    invocations: AtomicU64,
    errors: AtomicU64,
    throttles: AtomicU64,
    cold_starts: AtomicU64,
}

impl Counters {
    pub(super) fn cold_start(&self) {
        self.cold_starts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs functions as processes.
#[derive(Debug)]
pub struct Pool {
    runners: BTreeMap<String, Arc<Runner>>,
    draining: AtomicBool,
    drain: Duration,
    faults: Plan,
    /// Invocations that came, for the plan.
    came: AtomicU64,
}

impl Pool {
    /// A pool for those of the application's functions that have an executable. Processes start with the first invocation.
    /// Must be called within a tokio runtime's reach; `executables` is by logical id.
    pub fn new(
        app: &Application,
        executables: &BTreeMap<String, PathBuf>,
        options: &PoolOptions,
    ) -> Arc<Self> {
        let guardian = Arc::new(Guardian::start());
        let processes = Processes::new(options.processes);
        let runners = app.functions.values().filter_map(|function| {
            let executable = executables.get(&function.id)?.clone();
            let part = options.parts.part(format!("function {}", function.id));
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
                dispatch: Dispatch::new(limit),
                log: options.logs.of(&function.id, &function.logging),
                observer: options.observations.of(&function.id),
                counters: Counters::default(),
                guardian: guardian.clone(),
                part,
                backoff: Mutex::default(),
                ended: Notify::new(),
                function: function.clone(),
            };
            Some((function.id.clone(), Arc::new(runner)))
        });
        let runners: BTreeMap<String, Arc<Runner>> = runners.collect();
        processes.serve(runners.values());
        Arc::new(Self {
            runners,
            draining: AtomicBool::new(false),
            drain: options.drain,
            faults: options.faults,
            came: AtomicU64::new(0),
        })
    }

    /// What the pool does now and has done so far.
    pub fn stats(&self) -> Stats {
        let functions = self.runners.iter().map(|(id, runner)| {
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            FunctionStats {
                function: id.clone(),
                invocations: count(&runner.counters.invocations),
                errors: count(&runner.counters.errors),
                throttles: count(&runner.counters.throttles),
                cold_starts: count(&runner.counters.cold_starts),
                queued: runner.dispatch.queued(),
                limit: runner.dispatch.most(),
                instances: runner
                    .dispatch
                    .instances()
                    .iter()
                    .map(|instance| instance.stats())
                    .collect(),
            }
        });
        Stats {
            functions: functions.collect(),
        }
    }

    /// Changes how many instances of a function there may be at one time, from now on. Those beyond it end once they are idle.
    /// False: there is no such function.
    pub fn limit(&self, function: &str, most: NonZeroUsize) -> bool {
        let Some(runner) = self.runners.get(function) else {
            return false;
        };
        let change = runner.dispatch.limit(most);
        for instance in change.beyond {
            instance.retire_now();
        }
        for id in change.start {
            supervisor::spawn(runner.clone(), id);
        }
        true
    }

    /// Refuses new invocations, waits for those in flight (at most [`PoolOptions::drain`]), then ends every process.
    pub async fn shutdown(&self) {
        self.draining.store(true, Ordering::SeqCst);
        let deadline = tokio::time::Instant::now() + self.drain;
        for runner in self.runners.values() {
            runner.dispatch.drain();
        }
        for runner in self.runners.values() {
            // idle ones go first, busy ones as they finish
            loop {
                let ended = runner.ended.notified();
                let instances = runner.dispatch.instances();
                let out_of_time = tokio::time::Instant::now() >= deadline;
                for instance in instances
                    .iter()
                    .filter(|instance| out_of_time || !instance.is_busy())
                {
                    instance.condemn();
                }
                if runner.dispatch.instance_count() == 0 {
                    break;
                }
                // busy instances do not ring when they become idle: look again shortly
                let _ = tokio::time::timeout(Duration::from_millis(20), ended).await;
            }
        }
    }
}

impl Drop for Pool {
    /// Without a shutdown before, what still runs is ended at once.
    fn drop(&mut self) {
        for runner in self.runners.values() {
            runner.dispatch.drain();
            for instance in runner.dispatch.instances() {
                instance.condemn();
            }
            runner.dispatch.abandon();
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
        let faults = self.faults.of(self.came.fetch_add(1, Ordering::Relaxed));
        tokio::time::sleep(faults.delay).await;
        request.request_id.get_or_insert_with(new_id);
        let again = faults.duplicate.then(|| request.clone());
        let response = self.run(request, wait_for_slot, faults.kill).await;
        if let Some(again) = again.filter(|_| response.is_ok()) {
            // nobody hears of the second answer, and the first waits for it: a duplicate comes before the next of its caller
            let _ = self.run(again, true, None).await;
        }
        response
    }

    async fn ready(&self, function: &str) {
        // what is unknown is answered by the invocation
        if let Some(runner) = self.runners.get(function) {
            runner.dispatch.room().await;
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
        let request_id: std::sync::Arc<str> = request.request_id.unwrap_or_else(new_id).into();
        let (reply, outcome) = oneshot::channel();
        let job = Job {
            request_id: request_id.clone(),
            payload: request.payload,
            trace_id: request.trace_id.unwrap_or_else(new_trace_id),
            client_context: request.client_context.map(Arc::from),
            qualifier: request.qualifier,
            records: request.records,
            kill,
            waits: wait_for_slot,
            begun: request.begun,
            reply,
        };
        match runner.dispatch.submit(job) {
            Submitted::Handed | Submitted::Queued => {}
            Submitted::Start(id) => supervisor::spawn(runner.clone(), id),
            Submitted::Draining => return Err(Rejected::ShuttingDown),
            Submitted::Throttled => {
                runner.counters.throttles.fetch_add(1, Ordering::Relaxed);
                return Err(Rejected::Throttled(runner.limit()));
            }
        }
        let outcome = match request.start_by {
            Some(latest) => {
                let Some(outcome) = begun_by(latest, &runner.dispatch, &request_id, outcome).await
                else {
                    runner.counters.throttles.fetch_add(1, Ordering::Relaxed);
                    return Err(Rejected::Throttled(runner.limit()));
                };
                outcome
            }
            None => outcome.await,
        };
        // dropped unanswered only when a drain empties the queue
        let outcome = outcome.unwrap_or(Err(Rejected::ShuttingDown));
        if matches!(outcome, Err(Rejected::NoCapacity { .. })) {
            runner.counters.throttles.fetch_add(1, Ordering::Relaxed);
        }
        let outcome = outcome?;
        runner.counters.invocations.fetch_add(1, Ordering::Relaxed);
        if matches!(outcome, Outcome::Error(_)) {
            runner.counters.errors.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Response {
            request_id: request_id.to_string(),
            outcome,
        })
    }
}

/// The outcome of a job that an instance took in time; `None` for one that was taken back.
async fn begun_by(
    latest: Instant,
    dispatch: &Dispatch,
    request_id: &str,
    mut outcome: oneshot::Receiver<Reply>,
) -> Option<Result<Reply, RecvError>> {
    tokio::select! {
        outcome = &mut outcome => return Some(outcome),
        () = tokio::time::sleep_until(latest.into()) => {}
    }
    if dispatch.take_back(request_id) {
        None
    } else {
        Some(outcome.await)
    }
}

/// A random identifier in the form of a UUID, version 4.
pub(crate) fn new_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..]
    )
}

/// A trace id in X-Ray's form, not sampled.
fn new_trace_id() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs() as u32;
    let root: [u8; 12] = rand::random();
    let parent: [u8; 8] = rand::random();
    format!(
        "Root=1-{seconds:08x}-{};Parent={};Sampled=0",
        hex::encode(root),
        hex::encode(parent)
    )
}
