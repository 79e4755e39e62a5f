//! `usher invoke`: one function, one event, one answer.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::arguments::Invoke;
use super::exit::Wrong;
use super::prepare;
use crate::document::nearest;
use crate::instances::{Logs, Pool, PoolOptions};
use crate::invocation::{Invoke as _, Outcome, Rejected, Request};
use crate::invoke_api::{Asked, Client};
use crate::model::Application;
use crate::terminal;

/// How long the function's last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The answer goes to standard output, everything else to standard error. A function error is exit code 1.
pub(super) fn run(arguments: &Invoke) -> Result<ExitCode, Wrong> {
    let event = event(arguments)?;
    let (project, application) = prepare::application(&arguments.source.template, &arguments.source.arguments())?;
    check_name(&arguments.function, &application)?;
    let runtime = prepare::runtime()?;
    if !arguments.alone {
        let state = arguments.state.folder(&arguments.source.template);
        if let Some(ended) = runtime.block_on(running(&state, arguments, event.clone()))? {
            return print(arguments, &ended);
        }
    }
    let only = vec![arguments.function.clone()];
    let executables = prepare::binaries(&application, &project, &arguments.build, &only)?;
    let (logs, log_end) = Logs::with_end(std::io::stderr());
    let options = PoolOptions { logs, ..PoolOptions::default() };

    let outcome = runtime
        .block_on(async move {
            let pool = Pool::new(&application, &executables, &options);
            let answered = tokio::select! {
                answered = pool.invoke(Request::new(&arguments.function, event), true) => {
                    answered.map_err(|rejected| Wrong::failure(explain(&rejected)))
                }
                _ = tokio::signal::ctrl_c() => Err(Wrong::failure("interrupted")),
            };
            pool.shutdown().await;
            // What the function printed last may still be on its way: the program ends after it.
            drop((pool, options));
            let _ = tokio::task::spawn_blocking(move || log_end.wait(LAST_LINES)).await;
            answered
        })?
        .outcome;
    match outcome {
        Outcome::Answer(body) => print(arguments, &Ended { body, failed: false }),
        Outcome::Error(error) => print(arguments, &Ended { body: error.body, failed: true }),
    }
}

/// What an invocation came to.
struct Ended {
    body: Bytes,
    failed: bool,
}

/// Through the running host. `None`: there is none.
async fn running(state: &Path, arguments: &Invoke, event: Bytes) -> Result<Option<Ended>, Wrong> {
    let asked = match Client::of(state) {
        Some(host) => host.invoke(&arguments.function, event, arguments.asynchronous, arguments.log).await,
        None => Asked::Nobody,
    };
    let answer = match asked {
        Asked::Answer(answer) => answer,
        Asked::Refused(why) => return Err(Wrong::failure(format!("the running host refuses: {}", terminal::line(&why)))),
        Asked::Broken(why) => {
            return Err(Wrong::failure(format!("the running host went away ({why}); whether the function ran is not known")));
        }
        Asked::Nobody if arguments.asynchronous => {
            return Err(Wrong::failure(
                "--async hands the event to a running host, and none runs here. Start one with `usher up`",
            ));
        }
        Asked::Nobody => return Ok(None),
    };
    if let Some(log) = &answer.log {
        terminal::report(log);
    }
    let body = if arguments.asynchronous { answer.request_id.into() } else { answer.body };
    Ok(Some(Ended { body, failed: answer.failed }))
}

/// The body alone on standard output; that of an error is told of as well.
fn print(arguments: &Invoke, ended: &Ended) -> Result<ExitCode, Wrong> {
    let (body, mut code) = (&ended.body, ExitCode::SUCCESS);
    if ended.failed {
        let error = reported(body);
        terminal::report(&format!("usher: {} failed: {}\n", arguments.function, terminal::line(&error)));
        code = ExitCode::FAILURE;
    }
    terminal::answer(body).map_err(|error| Wrong::failure(format!("cannot print the answer: {error}")))?;
    Ok(code)
}

/// Type and message of an error's body.
fn reported(body: &[u8]) -> String {
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| error[key].as_str().unwrap_or("unknown").to_owned();
    format!("{}: {}", text("errorType"), text("errorMessage"))
}

/// Why the function was not reached. Nobody else uses this pool, so a throttle can only be a limit of 0.
fn explain(rejected: &Rejected) -> String {
    match rejected {
        Rejected::Throttled(function) => {
            format!("{function} may not run: its ReservedConcurrentExecutions is 0. Raise it, or take it away")
        }
        other => other.to_string(),
    }
}

/// The event, which must be JSON: a function would fail on anything else in a way that explains nothing.
fn event(arguments: &Invoke) -> Result<Bytes, Wrong> {
    let file = &arguments.event;
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    let shown = file.display();
    read.map_err(|error| {
        Wrong::configuration(format!("cannot read the event {shown}: {error}. -e names a JSON file, or - for standard input."))
    })?;
    if let Err(error) = serde_json::from_slice::<&RawValue>(&bytes) {
        return Err(Wrong::configuration(format!("the event {shown} is not JSON: {error}.")));
    }
    Ok(Bytes::from(bytes))
}

fn check_name(function: &str, application: &Application) -> Result<(), Wrong> {
    if application.functions.contains_key(function) {
        return Ok(());
    }
    let names: Vec<&str> = application.functions.keys().map(String::as_str).collect();
    let hint = nearest(function, names.iter().copied()).map(|near| format!(" Did you mean {near}?")).unwrap_or_default();
    Err(Wrong::configuration(format!("the template has no function {function}.{hint} It has: {}.", names.join(", "))))
}
