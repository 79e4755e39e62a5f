//! The one task that starts a process, supervises it, and cleans up after it.

use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::dispatch::Worker as _;
use super::environment;
use super::failure;
use super::instance::{Due, Instance};
use super::job::JobResult;
use super::process::Process;
use super::records::{LogLine, PhaseStatus};
use super::runner::Runner;
use super::runtime_api;
use crate::descriptors::is_shortage;
use crate::invocation::{Outcome, Rejected};
use crate::listener::Listener;
use crate::supervision::{panic_text, with_fault};

/// Time for initialisation before the process is started once more (Lambda's limit).
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time between SIGTERM and SIGKILL for a function that registered an extension (Lambda's limit for
/// internal extensions).
const GRACE: Duration = Duration::from_millis(500);

const OUT_OF_PROCESSES: &str = "all processes that the limit of open files allows are busy; raise \
                                it (ulimit -Hn)";

/// How a process came to its end.
enum End {
    Exited(ExitStatus),
    InitTimeout,
    Deadline,
    Idle,
    Killed,
    Stopped,
    CannotStart(String),
    /// The host is short of something that a start needs.
    NoCapacity(String),
}

/// Runs instance `id` from its start to its end, then its successor if queued jobs need one.
pub(super) fn spawn(runner: Arc<Runner>, id: u64) {
    tokio::spawn(async move {
        let mut next = Some(id);
        while let Some(id) = next {
            let instance = Instance::new(id, runner.clone());
            runner.dispatcher.started(instance.clone());
            next = match runner.processes.acquire().await {
                Some(_permit) => supervise_caught(&instance).await,
                None => no_capacity(&instance, OUT_OF_PROCESSES),
            };
            runner.ended.notify_waiters();
        }
    });
}

/// Supervises in a task of its own, so that a panic ends this instance alone.
async fn supervise_caught(instance: &Arc<Instance>) -> Option<u64> {
    let supervised = {
        let instance = instance.clone();
        with_fault(instance.runner.part.clone(), async move {
            supervise(&instance).await
        })
    };
    let begun = Instant::now();
    match tokio::spawn(supervised).await {
        Ok(next) => next,
        Err(error) => supervisor_panicked(instance, panic_text(error), begun.elapsed()).await,
    }
}

/// Gives up an instance that the host has no process for. No other is started in its place.
fn no_capacity(instance: &Instance, why: &str) -> Option<u64> {
    let runner = &instance.runner;
    let function = &runner.function.id;
    instance.stop();
    runner.processes.log_shortage(function, why);
    let result = || {
        Err(Rejected::NoCapacity {
            function: function.clone(),
            why: why.to_owned(),
        })
    };
    runner.dispatcher.no_capacity(instance.id, &result);
    None
}

/// The process ended with its supervisor. Its invocations in flight count as not tried and are
/// retried. A successor, if queued jobs need one, starts after a pause.
async fn supervisor_panicked(instance: &Arc<Instance>, why: String, ran: Duration) -> Option<u64> {
    let runner = &instance.runner;
    let why = format!(
        "the supervisor of a process of {}: {why}",
        runner.function.id
    );
    runner.part.ended(&why);
    let pause = runner
        .backoff
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .pause(ran);
    tracing::error!(
        alarm = "instance_task_ended",
        part = runner.part.name(),
        "{why}. Its invocations in flight count as not tried; the next process may start in {} ms",
        pause.as_millis()
    );
    instance.stop();
    let next = runner
        .dispatcher
        .ended(instance.id, instance.is_ready(), None);
    instance.end_all(|request_id| Outcome::Interrupted(failure::broken_off(request_id)));
    if next.is_some() {
        tokio::time::sleep(pause).await;
    }
    runner.part.started(Instant::now());
    next
}

async fn supervise(instance: &Arc<Instance>) -> Option<u64> {
    let runner = &instance.runner;
    runner.counters.cold_starts.increment();
    // a first initialisation that takes too long is repeated as part of the invocation that waits
    let mut end = run(instance, INIT_TIMEOUT).await;
    if matches!(end, End::InitTimeout) {
        runner.log.write(
            None,
            LogLine::InitEnd {
                duration: INIT_TIMEOUT,
                status: PhaseStatus::Timeout,
            },
        );
        end = run(instance, runner.function.timeout).await;
    }
    if let End::NoCapacity(why) = &end {
        return no_capacity(instance, why);
    }
    let outcome = |request_id: &str| describe(&end, instance, request_id);
    // an invocation that waited for this instance and never began is observed here only
    let never_began = |request_id: &str| {
        let outcome = outcome(request_id);
        runner.observe_end(request_id, 0, Duration::ZERO, None, outcome.error());
        Ok(outcome)
    };
    let ready = instance.is_ready();
    let on_purpose = matches!(end, End::Stopped | End::Idle) && instance.init_error().is_none();
    let never_ready: Option<&dyn Fn(&str) -> JobResult> = if ready || on_purpose {
        None
    } else {
        Some(&never_began)
    };
    // the dispatcher frees the slot before a caller receives the outcome and retries
    instance.stop();
    let next = runner.dispatcher.ended(instance.id, ready, never_ready);
    instance.end_all(outcome);
    next
}

/// The outcome of an invocation that the end of a process left unanswered.
fn describe(end: &End, instance: &Instance, request_id: &str) -> Outcome {
    if let Some(error) = instance.init_error() {
        return Outcome::Error(error);
    }
    Outcome::Error(match end {
        End::Exited(status) if status.success() => failure::exited_quietly(request_id),
        End::Exited(status) => failure::exited(request_id, &failure::describe_exit(*status)),
        End::Killed => failure::exited(request_id, "signal: killed"),
        End::InitTimeout | End::Deadline => {
            failure::timed_out(request_id, instance.runner.function.timeout)
        }
        End::Idle | End::Stopped => {
            return Outcome::Interrupted(failure::killed_by_shutdown(request_id));
        }
        End::CannotStart(why) | End::NoCapacity(why) => failure::cannot_start(request_id, why),
    })
}

async fn run(instance: &Arc<Instance>, init_limit: Duration) -> End {
    let runner = &instance.runner;
    let (mut process, listener) = match start(instance).await {
        Ok(started) => started,
        Err(error) if is_shortage(&error) => {
            // the next start may use what an idle process holds
            runner.processes.stop_longest_idle();
            return End::NoCapacity(error.to_string());
        }
        Err(error) => {
            let why = format!("cannot run {}: {error}", runner.executable.display());
            let text = why.clone();
            runner.log.write(None, LogLine::Failure { text });
            return End::CannotStart(why);
        }
    };
    // dropped with this function: no connection outlives its process
    let mut connections = JoinSet::new();
    connections.spawn(runtime_api::serve(listener, instance.clone()));
    let end = wait_for_end(instance, &mut process, init_limit).await;
    let graceful = matches!(end, End::Idle | End::Stopped) && instance.has_extensions();
    if graceful {
        process.terminate();
        let _ = tokio::time::timeout(GRACE, process.wait()).await;
    }
    process.kill();
    if let Err(error) = process.wait().await {
        tracing::warn!(%error, pid = process.pid(), "cannot reap a function's process");
    }
    end
}

async fn start(instance: &Arc<Instance>) -> io::Result<(Process, Listener)> {
    let runner = &instance.runner;
    let listener = runtime_api::bind().await.map_err(|error| error.source)?;
    let stream = format!("[$LATEST]{:08x}", instance.id);
    // a variable that is not UTF-8 cannot be passed on
    let host = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let environment = environment::build(
        &runner.function,
        &runner.executable,
        listener.address(),
        &stream,
        host,
    );
    let mut process = Process::start(
        &runner.executable,
        environment,
        runner.open_files,
        &runner.reaper,
    )?;
    instance.process_started(process.pid());
    let weak = Arc::downgrade(instance);
    let log = runner.log.clone();
    let observer = runner.observer.clone();
    let function = runner.function.id.clone();
    process.forward_output(move |text| {
        let request = weak
            .upgrade()
            .and_then(|instance| instance.current_request());
        for renamed in observer.printed(&text) {
            tracing::warn!(function, "{renamed}");
        }
        log.write(request.as_ref(), LogLine::Output { text });
    });
    Ok((process, listener))
}

async fn wait_for_end(instance: &Instance, process: &mut Process, init_limit: Duration) -> End {
    loop {
        let wake = match instance.check(Instant::now(), init_limit, instance.runner.idle) {
            Due::At(instant) => instant,
            Due::InitTimeout => return End::InitTimeout,
            Due::Deadline => return End::Deadline,
            Due::Stop => return End::Stopped,
            Due::Killed => return End::Killed,
            Due::Overdue => {
                if let Some(id) = instance.runner.dispatcher.overdue(instance.id) {
                    spawn(instance.runner.clone(), id);
                }
                continue;
            }
            Due::Idle if instance.retire() => return End::Idle,
            // a job came between the check and the retirement
            Due::Idle => continue,
        };
        tokio::select! {
            status = process.wait() => match status {
                Ok(status) => return End::Exited(status),
                Err(error) => {
                    return End::CannotStart(format!("cannot wait for the process: {error}"));
                }
            },
            () = tokio::time::sleep_until(wake.into()) => {}
            () = instance.changed.notified() => {}
        }
    }
}
