//! `usher bridge`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::CommandError;
use super::operations::BridgeArguments;
use super::prepare;
use super::stop_signals::StopSignals;
use crate::bridge::{BridgeRoute, run as copy};
use crate::sources::sqs::Sqs;
use crate::supervision::TaskError;
use sam_template::project::{Arguments, Project, broker_list};

/// Copies records until the first signal, then sends those that were read.
pub(super) fn run(arguments: &BridgeArguments) -> Result<ExitCode, CommandError> {
    let route = route(arguments)?;
    let runtime = prepare::runtime()?;
    let stop = Arc::new(AtomicBool::new(false));
    let handle = runtime.handle().clone();
    let copied = runtime.block_on(async {
        let mut signals = StopSignals::listen(false)?;
        tracing::info!(
            group = route.group,
            "copies topic {} at {} to queue {} at {}",
            route.topic,
            route.servers,
            route.queue,
            route.sqs.endpoint()
        );
        let mut copying = tokio::task::spawn_blocking({
            let stop = stop.clone();
            move || copy(&route, &handle, &stop)
        });
        let ended = tokio::select! {
            ended = &mut copying => ended,
            () = signals.received() => { stop.store(true, Ordering::Relaxed); copying.await }
        };
        ended
            .unwrap_or_else(|error| Err(TaskError::from(error).into()))
            .map_err(CommandError::failure)
    })?;
    tracing::info!("stopped after {copied} records");
    Ok(ExitCode::SUCCESS)
}

fn route(arguments: &BridgeArguments) -> Result<BridgeRoute, CommandError> {
    let both = [
        ("--from", &arguments.from, "kafka"),
        ("--to", &arguments.to, "sqs"),
    ];
    if let Some((option, given, only)) = both.into_iter().find(|(_, given, only)| given != only) {
        return Err(CommandError::configuration(format!(
            "{option} {given} is not served by this version. Write {option} {only}"
        )));
    }
    let project_arguments = Arguments {
        sqs_endpoint: arguments.sqs_endpoint.clone(),
        allow_remote: arguments.allow_remote.clone(),
        region: super::arguments::region(None),
        ..Arguments::default()
    };
    let project = Project::load(&arguments.template, &project_arguments).map_err(|problems| {
        CommandError::problems(&problems.iter().map(ToString::to_string).collect::<Vec<_>>())
    })?;
    broker_list(&arguments.servers, &project.allow_remote).map_err(CommandError::configuration)?;
    let location = project.location();
    let endpoint = project.sqs.ok_or_else(|| {
        CommandError::configuration(
            "no SQS endpoint. Add --sqs-endpoint URL, or name one in usher.toml under [endpoints]",
        )
    })?;
    let group = arguments
        .group
        .clone()
        .unwrap_or_else(|| format!("usher-bridge-{}", arguments.queue));
    Ok(BridgeRoute {
        servers: arguments.servers.clone(),
        topic: arguments.topic.clone(),
        group,
        sqs: Sqs::located(&endpoint.value, &location),
        queue: arguments.queue.clone(),
    })
}
