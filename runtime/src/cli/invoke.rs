//! `usher invoke`: sends one event to one function.

use std::io::BufWriter;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::arguments::InvokeArguments;
use super::error::CommandError;
use super::event_input;
use super::prepare;
use super::running_host;
use crate::client::{InvokeAnswer, InvokeClient, InvokeReply};
use crate::embedded_queues::{self, EmbeddedServer};
use crate::instances::{LogStyle, Logs, Pool, PoolOptions};
use crate::invocation::{Invoke as _, Outcome, Request};
use crate::invoke_api;
use crate::listener::Listener;
use crate::sources::sqs::{self, Sqs};
use crate::supervision::ComponentRegistry;
use crate::terminal;
use sam_template::document::nearest;
use sam_template::model::qualified::function_name;
use sam_template::model::{Application, Function};

/// Longest wait for the last lines of functions.
pub(super) const LAST_LINES: Duration = Duration::from_secs(2);

/// Prints the response to standard output, everything else to standard error. A function error is
/// exit code 1.
pub(super) fn run(arguments: &InvokeArguments) -> Result<ExitCode, CommandError> {
    let event = event_input::read(arguments.data.as_deref(), arguments.event.as_deref())?;
    let (project, application) = prepare::application(&arguments.source)?;
    let function = named(&arguments.function, &application)?.clone();
    let qualifier = function_name(&arguments.function).1.map(str::to_owned);
    let runtime = prepare::runtime()?;
    if !arguments.alone {
        let state = arguments.state.folder(&arguments.source.template);
        if let Some(host) = InvokeClient::of(&state) {
            runtime.block_on(running_host::check(
                &host,
                &function,
                arguments,
                (&project, &application),
            ))?;
            let name = qualified(&function.id, qualifier.as_deref());
            let answer = through(&host, &name, arguments, event.clone());
            if let Some(answer) = runtime.block_on(answer)? {
                return print(arguments, &answer.body, answer.failed);
            }
        }
        if arguments.asynchronous {
            return Err(CommandError::failure(
                "--async needs a running host, and none runs here. Start one with `usher up`",
            ));
        }
    }
    let only = vec![function.id.clone()];
    let executables = prepare::binaries(&application, &project, &arguments.build, &only)?;
    let (logs, log_end) = Logs::with_end(BufWriter::new(std::io::stderr()), LogStyle::Calls);
    let options = PoolOptions {
        logs,
        ..PoolOptions::default()
    };

    let outcome = runtime
        .block_on(async move {
            let state = arguments.state.folder(&arguments.source.template);
            let _queues = serve_queues(&application, &state).await?;
            let pool = Pool::new(&application, &executables, &options);
            let answered = tokio::select! {
                answered = pool.invoke(Request { qualifier, ..Request::new(function.id, event) }, true) => {
                    answered.map_err(|rejected| CommandError::failure(rejected.to_string()))
                }
                _ = tokio::signal::ctrl_c() => Err(CommandError::failure("interrupted")),
            };
            pool.shutdown().await;
            // The function's last output may not have been written yet.
            drop((pool, options));
            let _ = tokio::task::spawn_blocking(move || log_end.wait(LAST_LINES)).await;
            answered
        })?
        .outcome;
    match outcome {
        Outcome::Answer(body) => print(arguments, &body, false),
        Outcome::Error(error) | Outcome::Interrupted(error) => print(arguments, &error.body, true),
    }
}

/// Serves the embedded queues while one function runs without a host. A running host that has their
/// address serves them itself.
async fn serve_queues(
    app: &Application,
    state: &Path,
) -> Result<Option<EmbeddedServer>, CommandError> {
    let Some(queues) = app.embedded_queues else {
        return Ok(None);
    };
    let Ok(listener) = Listener::bind(embedded_queues::endpoint(&queues)).await else {
        tracing::info!("another process has {}, the queues' address", queues.url());
        return Ok(None);
    };
    let registry = ComponentRegistry::default();
    let server = EmbeddedServer::start(app, &queues, listener, state, &registry)
        .map_err(|error| CommandError::configuration(error.to_string()))?;
    tracing::info!("{}", server.describe(&queues));
    if let Some(sqs) = Sqs::of(app) {
        let made = sqs::ensure(&sqs, &app.queues).await;
        made.map_err(|error| CommandError::failure(error.to_string()))?;
    }
    Ok(Some(server))
}

/// The function with its version or alias.
fn qualified(function: &str, qualifier: Option<&str>) -> String {
    qualifier.map_or_else(
        || function.to_owned(),
        |qualifier| format!("{function}:{qualifier}"),
    )
}

/// Invokes the function through the running host. The body of an asynchronous invocation is its
/// request id. `None`: the host has stopped.
async fn through(
    host: &InvokeClient,
    function: &str,
    arguments: &InvokeArguments,
    event: Bytes,
) -> Result<Option<InvokeAnswer>, CommandError> {
    let mut answer = match host
        .invoke(function, event, arguments.asynchronous, arguments.log)
        .await
    {
        InvokeReply::Answer(answer) => answer,
        InvokeReply::Refused(why) => {
            let why = terminal::line(&why);
            let refused = format!("the running host refuses: {why}");
            return Err(CommandError::failure(refused));
        }
        InvokeReply::Broken(why) => {
            return Err(CommandError::failure(format!(
                "the running host closed the connection ({why}); the function may or may not have \
                 run"
            )));
        }
        InvokeReply::Unreachable => return Ok(None),
    };
    if let Some(log) = &answer.log {
        terminal::report(log);
    }
    if arguments.asynchronous {
        answer.body = answer.request_id.clone().into();
    }
    Ok(Some(answer))
}

/// Prints the body to standard output, and an error's type and message to standard error.
fn print(arguments: &InvokeArguments, body: &[u8], failed: bool) -> Result<ExitCode, CommandError> {
    let mut code = ExitCode::SUCCESS;
    if failed {
        let error = reported(body);
        terminal::report(&format!(
            "usher: {} failed: {}\n",
            arguments.function,
            terminal::line(&error)
        ));
        code = ExitCode::FAILURE;
    }
    terminal::answer(body)
        .map_err(|error| CommandError::failure(format!("cannot print the response: {error}")))?;
    Ok(code)
}

/// Type and message of an error's body.
fn reported(body: &[u8]) -> String {
    let error: Value = strict_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| error[key].as_str().unwrap_or("unknown").to_owned();
    format!("{}: {}", text("errorType"), text("errorMessage"))
}

/// Finds the function by logical id, name or ARN.
fn named<'a>(function: &str, application: &'a Application) -> Result<&'a Function, CommandError> {
    if let Some(found) = invoke_api::function(function, &application.functions) {
        return Ok(found);
    }
    let (bare, _) = function_name(function);
    let mut skipped = application.skipped.iter();
    if let Some((_, skipped)) = skipped.find(|(id, one)| *id == bare || one.name == bare) {
        return Err(CommandError::configuration(format!(
            "function {function} is not run by this host: {}.",
            skipped.reason
        )));
    }
    let all: Vec<&str> = application.functions.keys().map(String::as_str).collect();
    let names = application.functions.values();
    let names = names.map(|function| function.name.as_str());
    let hint = nearest(function, all.iter().copied().chain(names))
        .map(|near| format!(" Did you mean {near}?"))
        .unwrap_or_default();
    Err(CommandError::configuration(format!(
        "the template has no function {function}.{hint} It has: {}.",
        all.join(", ")
    )))
}
