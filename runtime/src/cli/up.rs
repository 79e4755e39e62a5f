//! `usher up`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::arguments::{Switch, Up};
use super::exit::Wrong;
use super::prepare;
use crate::http::{self, KeySet};
use crate::instances::PoolOptions;
use crate::model::Application;
use crate::project::{Arguments, Project, is_this_machine};
use crate::up::{self, Options, RunError};

/// Everything that can be wrong is looked at before the build, which takes long.
pub(super) fn run(arguments: &Up) -> Result<ExitCode, Wrong> {
    let project_arguments = Arguments { jwks: arguments.jwks.clone(), http: arguments.http, ..arguments.source.arguments() };
    let (project, application) = prepare::application(&arguments.source.template, &project_arguments)?;
    prepare::warn(&application);
    let keys = settings(&project, &application, arguments)?;
    let http = project.http_addresses(&application).map_err(Wrong::configuration)?;
    let executables = prepare::binaries(&application, &project, &arguments.build, &[])?;

    let mut pool = PoolOptions::default();
    if let Some(most) = project.concurrency {
        pool.default_concurrency = most as usize;
    }
    let options = Options {
        executables,
        pool,
        control: arguments.control,
        http,
        keys,
        schedules: arguments.schedules == Switch::On,
        host_id: host_id(&arguments.source.template),
    };
    prepare::runtime()?.block_on(serve(application, options))
}

/// Runs until the first signal, then drains; a second one ends everything at once.
async fn serve(application: Application, options: Options) -> Result<ExitCode, Wrong> {
    let deaf = |error: std::io::Error| Wrong::failure(format!("cannot listen for signals: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let (stop, stopping) = oneshot::channel();
    let signals = async {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        let _ = stop.send(());
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    };
    let stopping = async {
        // An error means that nobody waits for signals any more, which ends the run as well.
        let _ = stopping.await;
    };
    tokio::select! {
        ended = up::run(application, options, stopping) => {
            ended.map(|()| ExitCode::SUCCESS).map_err(|error| match error {
                RunError::Start(error) => Wrong::configuration(error.to_string()),
                RunError::Ended(_) => Wrong::failure(error.to_string()),
            })
        }
        () = signals => Err(Wrong::failure("told twice: ended without draining; unfinished records come again")),
    }
}

/// Stable across restarts, different for two checkouts or machines.
fn host_id(template: &Path) -> String {
    let machine = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let folder = std::path::absolute(template).unwrap_or_else(|_| template.to_path_buf());
    let hash = Sha256::digest(folder.display().to_string());
    format!("{}-{}", machine.trim(), hex::encode(&hash[..4]))
}

/// The keys, and whether every API can be served with them; all complaints in one message.
fn settings(project: &Project, application: &Application, arguments: &Up) -> Result<Option<Arc<KeySet>>, Wrong> {
    let mut problems = Vec::new();
    let needed = application.http_apis.iter().any(|api| api.routes.iter().any(|route| route.authorizer.is_some()));
    let keys = match project.jwks.as_deref().filter(|_| needed) {
        Some(file) => KeySet::load(file).map_err(|wrong| problems.push(wrong)).ok().map(Arc::new),
        None => None,
    };
    if problems.is_empty() {
        problems.extend(application.http_apis.iter().filter_map(|api| http::check(api, keys.as_deref()).err()));
    }
    if let Some(control) =
        arguments.control.filter(|address| !is_this_machine(&address.ip().to_string()) || address.ip().is_unspecified())
    {
        problems.push(format!(
            "--control {control} is open to other machines. Choose a loopback address such as 127.0.0.1:{}.",
            control.port()
        ));
    }
    if problems.is_empty() { Ok(keys) } else { Err(Wrong::configuration(problems.join("\n"))) }
}
