//! The one task that starts a process, watches it and clears up after it.

use std::io;
use std::process::ExitStatus;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::dispatch::Reply;
use super::environment;
use super::failure;
use super::instance::Instance;
use super::observed;
use super::pool::Runner;
use super::process::Process;
use super::records::{Line, Status};
use super::runtime_api;
use crate::descriptors::is_shortage;
use crate::invocation::{Outcome, Rejected};
use crate::supervision::{panic_text, with_fault};

/// Time for initialisation before the process is started anew (Lambda's limit).
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a function that registered an extension gets between SIGTERM and SIGKILL (Lambda's limit for internal extensions).
const GRACE: Duration = Duration::from_millis(500);

/// Why the supervisor has to act.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing before this instant.
    At(Instant),
    /// Initialisation takes too long.
    InitTimeout,
    /// The invocation in flight ran out of time: its process must go.
    Deadline,
    /// It answered and does not ask for more.
    Overdue,
    /// Idle long enough to be retired.
    Idle,
    /// Killed on purpose.
    Killed,
    /// Condemned elsewhere (oversize answer, init error, drain).
    Stop,
}

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

/// Runs instance `id` from its start to its end, and starts a successor if jobs still wait.
pub(super) fn spawn(runner: Arc<Runner>, id: u64) {
    tokio::spawn(async move {
        let mut next = Some(id);
        while let Some(id) = next {
            let instance = Instance::new(id, runner.clone());
            runner.dispatch.started(&instance);
            next = if let Some(_room) = runner.processes.room().await {
                // a task of its own: what panics in it ends this instance alone
                let supervised = {
                    let instance = instance.clone();
                    with_fault(
                        runner.part.clone(),
                        async move { supervise(&instance).await },
                    )
                };
                let begun = Instant::now();
                match tokio::spawn(supervised).await {
                    Ok(next) => next,
                    Err(error) => broken_off(&instance, panic_text(error), begun.elapsed()).await,
                }
            } else {
                no_capacity(
                    &instance,
                    "all processes that the limit of open files allows are at work; raise it (ulimit -Hn)",
                )
            };
            runner.ended.notify_waiters();
        }
    });
}

/// Gives an instance up that the host has no process for; nothing is started in its stead.
fn no_capacity(instance: &Instance, why: &str) -> Option<u64> {
    let (runner, function) = (&instance.runner, &instance.runner.function.id);
    instance.condemn();
    runner.processes.short(function, why);
    let reply = || {
        Err(Rejected::NoCapacity {
            function: function.clone(),
            why: why.to_owned(),
        })
    };
    runner.dispatch.no_room(instance.id, &reply);
    None
}

/// The supervisor of an instance panicked. Its process went with it; what it had in flight counts as not tried, and comes again. A
/// successor, if jobs wait for one, starts after a pause.
async fn broken_off(instance: &Arc<Instance>, why: String, ran: Duration) -> Option<u64> {
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
        "{why}. What it had in flight counts as not tried; the next process may start in {} ms",
        pause.as_millis()
    );
    instance.condemn();
    let next = runner
        .dispatch
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
    runner.counters.cold_start();
    // a first initialisation that takes too long is tried again as part of the invocation that waits for it
    let mut end = run(instance, INIT_TIMEOUT).await;
    if matches!(end, End::InitTimeout) {
        runner.log.write(
            None,
            Line::InitEnd {
                duration: INIT_TIMEOUT,
                status: Status::Timeout,
            },
        );
        end = run(instance, runner.function.timeout).await;
    }
    if let End::NoCapacity(why) = &end {
        return no_capacity(instance, why);
    }
    let outcome = |request_id: &str| describe(&end, instance, request_id);
    // of an invocation that waited for this instance and never began nobody else tells
    let never_began = |request_id: &str| {
        let outcome = outcome(request_id);
        runner.observer.ended(observed::ended(
            request_id,
            0,
            Duration::ZERO,
            None,
            outcome.error(),
        ));
        Ok(outcome)
    };
    let ready = instance.is_ready();
    let on_purpose = matches!(end, End::Stopped | End::Idle) && instance.init_error().is_none();
    let blame: Option<&dyn Fn(&str) -> Reply> = if ready || on_purpose {
        None
    } else {
        Some(&never_began)
    };
    // gives its place free before anybody learns of its end and tries again
    instance.condemn();
    let next = runner.dispatch.ended(instance.id, ready, blame);
    instance.end_all(outcome);
    next
}

/// What the end of a process means for an invocation that it owed an answer to.
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
    let (mut process, listener) = match start(instance).await {
        Ok(started) => started,
        Err(error) if is_shortage(&error) => {
            // what an idle process holds is there for the next try
            instance.runner.processes.end_idle();
            return End::NoCapacity(error.to_string());
        }
        Err(error) => {
            let why = format!(
                "cannot run {}: {error}",
                instance.runner.executable.display()
            );
            instance
                .runner
                .log
                .write(None, Line::Failure { text: why.clone() });
            return End::CannotStart(why);
        }
    };
    // dropped with this function: no connection outlives its process
    let mut connections = JoinSet::new();
    let (_live, never) = watch::channel(false);
    connections.spawn(runtime_api::serve(listener, instance.clone(), never));
    let end = watch_over(instance, &mut process, init_limit).await;
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

async fn start(instance: &Arc<Instance>) -> io::Result<(Process, TcpListener)> {
    let runner = &instance.runner;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let stream = format!("[$LATEST]{:08x}", instance.id);
    // variables that are not UTF-8 cannot be passed on and are of no use to a function
    let host = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    let environment = environment::build(
        &runner.function,
        &runner.executable,
        listener.local_addr()?,
        &stream,
        host,
    );
    let mut process = Process::start(
        &runner.executable,
        environment,
        runner.open_files,
        &runner.guardian,
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
        log.write(request.as_ref(), Line::Output { text });
    });
    Ok((process, listener))
}

async fn watch_over(instance: &Instance, process: &mut Process, init_limit: Duration) -> End {
    loop {
        let wake = match instance.check(Instant::now(), init_limit, instance.runner.idle) {
            Due::At(instant) => instant,
            Due::InitTimeout => return End::InitTimeout,
            Due::Deadline => return End::Deadline,
            Due::Stop => return End::Stopped,
            Due::Killed => return End::Killed,
            Due::Overdue => {
                if let Some(id) = instance.runner.dispatch.overdue(instance.id) {
                    spawn(instance.runner.clone(), id);
                }
                continue;
            }
            Due::Idle if instance.retire() => return End::Idle,
            // busy after all: a job came between the check and the retirement
            Due::Idle => continue,
        };
        tokio::select! {
            status = process.wait() => match status {
                Ok(status) => return End::Exited(status),
                Err(error) => return End::CannotStart(format!("cannot watch the process: {error}")),
            },
            () = tokio::time::sleep_until(wake.into()) => {}
            () = instance.changed.notified() => {}
        }
    }
}
