//! `usher invoke`: one function, one event, one answer.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::arguments::Invoke;
use super::exit::Wrong;
use super::prepare;
use crate::document::nearest;
use crate::instances::{Logs, Pool, PoolOptions};
use crate::invocation::{Invoke as _, Outcome, Rejected, Request};
use crate::model::Application;

/// How long the function's last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The answer goes to standard output, everything else to standard error. A function error is exit code 1.
pub(super) fn run(arguments: &Invoke) -> Result<ExitCode, Wrong> {
    let event = event(arguments)?;
    let (project, application) = prepare::application(&arguments.source.template, &arguments.source.arguments())?;
    check_name(&arguments.function, &application)?;
    let only = vec![arguments.function.clone()];
    let executables = prepare::binaries(&application, &project, &arguments.build, &only)?;
    let (logs, log_end) = Logs::with_end(std::io::stderr());
    let options = PoolOptions { logs, ..PoolOptions::default() };

    let outcome = prepare::runtime()?
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
    let (body, code) = match &outcome {
        Outcome::Answer(body) => (body, ExitCode::SUCCESS),
        Outcome::Error(error) => {
            eprintln!("usher: {} failed: {}: {}", arguments.function, error.error_type, error.message);
            (&error.body, ExitCode::FAILURE)
        }
    };
    let mut out = std::io::stdout().lock();
    let printed = out.write_all(body).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    printed.map_err(|error| Wrong::failure(format!("cannot print the answer: {error}")))?;
    Ok(code)
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
