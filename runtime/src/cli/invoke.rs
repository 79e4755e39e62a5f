//! `usher invoke`: one function, one event, one answer.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::arguments::Invoke;
use super::beside;
use super::exit::Wrong;
use super::prepare;
use crate::client::{InvokeClient, InvokeReply};
use crate::document::nearest;
use crate::instances::{Logs, Pool, PoolOptions};
use crate::invocation::{Invoke as _, Outcome, Request};
use crate::invoke_api;
use crate::model::qualified::function_name;
use crate::model::{Application, Function};
use crate::terminal;

/// How long the function's last lines may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The answer goes to standard output, everything else to standard error. A function error is exit code 1.
pub(super) fn run(arguments: &Invoke) -> Result<ExitCode, Wrong> {
    let event = event(arguments)?;
    let (project, application) =
        prepare::application(&arguments.source.template, &arguments.source.arguments())?;
    let function = named(&arguments.function, &application)?.clone();
    let qualifier = function_name(&arguments.function).1.map(str::to_owned);
    let runtime = prepare::runtime()?;
    if !arguments.alone {
        let state = arguments.state.folder(&arguments.source.template);
        if let Some(host) = InvokeClient::of(&state) {
            runtime.block_on(beside::check(
                &host,
                &function,
                arguments,
                (&project, &application),
            ))?;
            if let Some(ended) = runtime.block_on(through(
                &host,
                &qualified(&function.id, qualifier.as_deref()),
                arguments,
                event.clone(),
            ))? {
                return print(arguments, &ended);
            }
        }
        if arguments.asynchronous {
            return Err(Wrong::failure(
                "--async hands the event to a running host, and none runs here. Start one with `usher up`",
            ));
        }
    }
    let only = vec![function.id.clone()];
    let executables = prepare::binaries(&application, &project, &arguments.build, &only)?;
    let (logs, log_end) = Logs::with_end(std::io::stderr());
    let options = PoolOptions {
        logs,
        ..PoolOptions::default()
    };

    let outcome = runtime
        .block_on(async move {
            let pool = Pool::new(&application, &executables, &options);
            let answered = tokio::select! {
                answered = pool.invoke(Request { qualifier, ..Request::new(function.id, event) }, true) => {
                    answered.map_err(|rejected| Wrong::failure(rejected.to_string()))
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
        Outcome::Answer(body) => print(
            arguments,
            &Ended {
                body,
                failed: false,
            },
        ),
        Outcome::Error(error) | Outcome::Interrupted(error) => print(
            arguments,
            &Ended {
                body: error.body,
                failed: true,
            },
        ),
    }
}

/// The function with the version or alias that the command names.
fn qualified(function: &str, qualifier: Option<&str>) -> String {
    qualifier.map_or_else(
        || function.to_owned(),
        |qualifier| format!("{function}:{qualifier}"),
    )
}

/// What an invocation came to.
struct Ended {
    body: Bytes,
    failed: bool,
}

/// Through the running host. `None`: it does not run any more.
async fn through(
    host: &InvokeClient,
    function: &str,
    arguments: &Invoke,
    event: Bytes,
) -> Result<Option<Ended>, Wrong> {
    let answer = match host
        .invoke(function, event, arguments.asynchronous, arguments.log)
        .await
    {
        InvokeReply::Answer(answer) => answer,
        InvokeReply::Refused(why) => {
            return Err(Wrong::failure(format!(
                "the running host refuses: {}",
                terminal::line(&why)
            )));
        }
        InvokeReply::Broken(why) => {
            return Err(Wrong::failure(format!(
                "the running host went away ({why}); whether the function ran is not known"
            )));
        }
        InvokeReply::Unreachable => return Ok(None),
    };
    if let Some(log) = &answer.log {
        terminal::report(log);
    }
    let body = if arguments.asynchronous {
        answer.request_id.into()
    } else {
        answer.body
    };
    Ok(Some(Ended {
        body,
        failed: answer.failed,
    }))
}

/// The body alone on standard output; that of an error is told of as well.
fn print(arguments: &Invoke, ended: &Ended) -> Result<ExitCode, Wrong> {
    let body = &ended.body;
    let mut code = ExitCode::SUCCESS;
    if ended.failed {
        let error = reported(body);
        terminal::report(&format!(
            "usher: {} failed: {}\n",
            arguments.function,
            terminal::line(&error)
        ));
        code = ExitCode::FAILURE;
    }
    terminal::answer(body)
        .map_err(|error| Wrong::failure(format!("cannot print the answer: {error}")))?;
    Ok(code)
}

/// Type and message of an error's body.
fn reported(body: &[u8]) -> String {
    let error: Value = strict_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| error[key].as_str().unwrap_or("unknown").to_owned();
    format!("{}: {}", text("errorType"), text("errorMessage"))
}

/// The event, which must be JSON: a function would fail on anything else in a way that explains nothing.
fn event(arguments: &Invoke) -> Result<Bytes, Wrong> {
    let Some(file) = &arguments.event else {
        return Ok(Bytes::from_static(b"{}"));
    };
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    let shown = file.display();
    read.map_err(|error| {
        Wrong::configuration(format!(
            "cannot read the event {shown}: {error}. -e names a JSON file, or - for standard input."
        ))
    })?;
    if let Err(error) = strict_json::from_slice::<&RawValue>(&bytes) {
        return Err(Wrong::configuration(format!(
            "the event {shown} is not JSON: {error}."
        )));
    }
    Ok(Bytes::from(bytes))
}

/// The function that is meant: by logical id, name or ARN.
fn named<'a>(function: &str, application: &'a Application) -> Result<&'a Function, Wrong> {
    if let Some(found) = invoke_api::function(function, &application.functions) {
        return Ok(found);
    }
    let (bare, _) = function_name(function);
    let skipped = application
        .skipped
        .iter()
        .find(|(id, skipped)| *id == bare || skipped.name == bare);
    if let Some((_, skipped)) = skipped {
        return Err(Wrong::configuration(format!(
            "function {function} is not run by this host: {}.",
            skipped.reason
        )));
    }
    let mut names: Vec<&str> = application.functions.keys().map(String::as_str).collect();
    names.extend(
        application
            .functions
            .values()
            .map(|function| function.name.as_str()),
    );
    let hint = nearest(function, names.iter().copied())
        .map(|near| format!(" Did you mean {near}?"))
        .unwrap_or_default();
    let all: Vec<&str> = application.functions.keys().map(String::as_str).collect();
    Err(Wrong::configuration(format!(
        "the template has no function {function}.{hint} It has: {}.",
        all.join(", ")
    )))
}
