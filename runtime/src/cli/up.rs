//! `usher up`: builds and runs the application.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::address;
use super::arguments::{Switch, UpArguments};
use super::error::CommandError;
use super::invoke::LAST_LINES;
use super::prepare;
use super::stop_signals::StopSignals;
use crate::control::LogSwitch;
use crate::descriptors;
use crate::instances::{DEFAULT_CONCURRENCY, KeptLog, Logs, PoolOptions};
use crate::invoke_api::{InvokeToken, MIN_TOKEN_LENGTH};
use crate::state::StateFolder;
use crate::supervision::ComponentRegistry;
use crate::up::{self, HostOptions, InvokeAt};
use sam_template::model::Application;
use sam_template::project::{Arguments, SETTINGS, is_this_machine};

/// Runs all checks before the build, which takes long, and reports all problems in one message.
pub(super) fn run(arguments: &UpArguments, log: LogSwitch) -> Result<ExitCode, CommandError> {
    let mut problems = Vec::new();
    let http = parsed("--http", arguments.http.as_deref(), &mut problems);
    let control = parsed("--control", arguments.control.as_deref(), &mut problems);
    let project_arguments = Arguments {
        jwks: arguments.jwks.clone(),
        http,
        ..arguments.source.arguments()
    };
    let (project, application, found) =
        prepare::check(&arguments.source.template, &project_arguments);
    problems.extend(found);
    prepare::warn(&application);
    let control = control.or(project.control);
    problems.extend(control.and_then(open_to_others));
    let concurrency = project
        .concurrency
        .map_or(DEFAULT_CONCURRENCY, |most| most as usize);
    problems.extend(up::contradictions(
        &application,
        &project.setting_changes,
        concurrency,
    ));
    let listen = parsed("--listen", arguments.listen.as_deref(), &mut problems);
    let token = token(arguments.token.as_deref(), listen, &mut problems);
    let http = project
        .http_addresses(&application)
        .map_err(|wrong| problems.push(wrong.to_string()))
        .unwrap_or_default();
    // Before the ports are tried, which a host that uses this folder has bound.
    let claim = || StateFolder::claim(&arguments.state.folder(&arguments.source.template));
    let state = problems
        .is_empty()
        .then(claim)
        .transpose()
        .map_err(|refused| CommandError::problems(&[refused.to_string()]))?;
    let runtime = prepare::runtime()?;
    let keys = runtime
        .block_on(up::keys(&project, &application))
        .unwrap_or_else(|wrong| {
            problems.extend(wrong);
            None
        });
    problems.extend(runtime.block_on(up::missing(
        &application,
        &up::endpoints(&application, &http, control),
    )));
    let Some(state) = state.filter(|_| problems.is_empty()) else {
        return Err(CommandError::problems(&prepare::redacted(
            &problems,
            &application,
        )));
    };
    let executables = prepare::binaries(&application, &project, &arguments.build, &[])?;

    let panics = &arguments.faults.panic;
    if !panics.is_empty() {
        tracing::warn!("faults on purpose: a panic in {}", panics.join(", "));
    }
    let kept = KeptLog::open(state.path());
    let kept = kept.inspect_err(|error| {
        tracing::warn!(%error, "no log is kept in the state folder, so `usher logs` shows none");
    });
    let (logs, log_end) = Logs::stdout(arguments.log, kept.ok());
    let mut pool = PoolOptions {
        logs,
        faults: arguments.faults.plan(),
        parts: ComponentRegistry::panicking(panics.clone()),
        default_concurrency: concurrency,
        ..PoolOptions::default()
    };
    if !pool.faults.is_none() {
        tracing::warn!("faults on purpose: {}", pool.faults);
    }
    match descriptors::raise() {
        Ok(before) => pool.open_files = Some(before),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
    let options = HostOptions {
        executables,
        pool,
        control,
        http,
        keys: keys.map(Arc::new),
        settings: Some((
            arguments.source.template.with_file_name(SETTINGS),
            project.setting_changes.clone(),
        )),
        log: Some(log),
        schedules: arguments.schedules == Switch::On,
        aws_timing: arguments.aws_timing,
        state,
        invoke: listen.map_or(InvokeAt::Anywhere, InvokeAt::Given),
        token,
    };
    runtime.block_on(serve(application, options, arguments.until_stdin_closes))?;
    // with its tasks: they may hold the log
    drop(runtime);
    log_end.wait(LAST_LINES);
    Ok(ExitCode::SUCCESS)
}

/// Parses an address; a refused one is added to the problems.
fn parsed(
    option: &'static str,
    written: Option<&str>,
    problems: &mut Vec<String>,
) -> Option<SocketAddr> {
    address::parse(option, written?)
        .map_err(|refused| problems.push(format!("{refused}.")))
        .ok()
}

/// The problem of a control address that other machines can reach, if it is one.
pub(super) fn open_to_others(control: SocketAddr) -> Option<String> {
    let own = is_this_machine(&control.ip().to_string()) && !control.ip().is_unspecified();
    (!own).then(|| {
        format!(
            "--control {control} (or control in usher.toml) is open to other machines. Choose a \
             loopback address such as 127.0.0.1:{}.",
            control.port()
        )
    })
}

/// The token for clients on other machines, required if the address is reachable from them.
fn token(
    written: Option<&str>,
    listen: Option<SocketAddr>,
    problems: &mut Vec<String>,
) -> Option<InvokeToken> {
    let token = written.and_then(InvokeToken::new);
    if written.is_some() && token.is_none() {
        problems.push(format!(
            "--token (or USHER_TOKEN) needs at least {MIN_TOKEN_LENGTH} characters: letters, digits, - \
             and _."
        ));
    }
    if let Some(address) = listen.filter(|address| written.is_none() && !address.ip().is_loopback())
    {
        problems.push(format!(
            "--listen {address} is open to other machines, which could run every function. Say \
             --token TOKEN (or set USHER_TOKEN), which callers send as their access key id; or \
             choose a loopback address such as 127.0.0.1:{}.",
            address.port()
        ));
    }
    token
}

/// Runs until a signal, then drains; a second signal stops the host immediately.
async fn serve(
    application: Application,
    options: HostOptions,
    until_stdin_closes: bool,
) -> Result<(), CommandError> {
    let mut signals = StopSignals::listen(until_stdin_closes)?;
    let (stop, stopping) = oneshot::channel();
    let second_signal = async {
        signals.received().await;
        let _ = stop.send(());
        signals.received().await;
    };
    let stopping = async {
        // An error means that the sender was dropped, which stops the run as well.
        let _ = stopping.await;
    };
    tokio::select! {
        ended = up::run(application, options, stopping) => {
            ended.map_err(|error| CommandError::configuration(error.to_string()))
        }
        () = second_signal => Err(CommandError::failure("second signal: stopped without draining; \
            unfinished records will be read again")),
    }
}
