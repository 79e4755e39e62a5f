//! A command beside a running host: arguments that the host cannot honour are refused, with what to do instead.
//!
//! A host decides at its start what its functions get. A command that names values as well means the same ones, or its result would be
//! that of another environment than it asked for.

use super::arguments::{Build, Invoke};
use super::exit::Wrong;
use super::prepare;
use crate::client::InvokeClient;
use crate::model::{Application, Function};
use crate::project::Project;

/// Checks that the host runs the function as the arguments of `usher invoke` say.
///
/// # Errors
/// It runs the function otherwise.
pub(super) async fn check(
    host: &InvokeClient,
    function: &Function,
    arguments: &Invoke,
    (project, application): (&Project, &Application),
) -> Result<(), Wrong> {
    let mut differs = if arguments.source.decides() {
        host.differences(function)
    } else {
        Vec::new()
    };
    if arguments.build.profile.is_some() {
        let build = Build {
            no_build: true,
            profile: arguments.build.profile.clone(),
        };
        let wanted = prepare::binaries(
            application,
            project,
            &build,
            std::slice::from_ref(&function.id),
        )
        .ok();
        if wanted
            .as_ref()
            .and_then(|all| all.get(&function.id))
            .map(std::path::PathBuf::as_path)
            != host.executable(&function.id)
        {
            differs.push("the executable (--profile)".to_owned());
        }
    }
    if differs.is_empty() || !host.is_running().await {
        return Ok(());
    }
    let alone = if arguments.asynchronous {
        ""
    } else {
        ", or say --alone to start the function here with these values"
    };
    Err(otherwise(&function.id, &differs, alone))
}

/// Checks the same for functions that a command has the host run.
///
/// # Errors
/// It runs one of them otherwise.
pub(super) async fn check_all<'f>(
    host: &InvokeClient,
    functions: impl Iterator<Item = &'f Function>,
) -> Result<(), Wrong> {
    for function in functions {
        let differs = host.differences(function);
        if !differs.is_empty() && host.is_running().await {
            return Err(otherwise(&function.id, &differs, ""));
        }
    }
    Ok(())
}

fn otherwise(function: &str, differs: &[String], alone: &str) -> Wrong {
    Wrong::configuration(format!(
        "the running host runs {function} otherwise than these arguments say ({}). Leave them out, name the values that usher up was \
         started with, stop the host and start it with these{alone}",
        differs.join(", ")
    ))
}
