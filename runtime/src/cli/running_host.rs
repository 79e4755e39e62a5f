//! Checks that a command's arguments agree with the running host.
//!
//! The host sets the values of its functions at startup. A command with other values would
//! otherwise run in another environment than its arguments say.

use super::arguments::{BuildArguments, InvokeArguments};
use super::error::CommandError;
use super::prepare;
use crate::client::InvokeClient;
use sam_template::model::{Application, Function};
use sam_template::project::Project;

/// Checks that the host runs the function with the arguments of `usher invoke`.
///
/// # Errors
/// The host runs the function with other values.
pub(super) async fn check(
    host: &InvokeClient,
    function: &Function,
    arguments: &InvokeArguments,
    (project, application): (&Project, &Application),
) -> Result<(), CommandError> {
    let mut differs = if arguments.source.decides() {
        host.differences(function)
    } else {
        Vec::new()
    };
    if arguments.build.profile.is_some() {
        let build = BuildArguments {
            no_build: true,
            profile: arguments.build.profile.clone(),
        };
        let only = std::slice::from_ref(&function.id);
        let built = prepare::binaries(application, project, &build, only);
        let wanted = built.ok().and_then(|mut all| all.remove(&function.id));
        if wanted.as_deref() != host.executable(&function.id) {
            differs.push("the executable (--profile)".to_owned());
        }
    }
    if differs.is_empty() || !host.is_running().await {
        return Ok(());
    }
    let alone = if arguments.asynchronous {
        ""
    } else {
        ", or add --alone to start the function here with these values"
    };
    Err(otherwise(&function.id, &differs, alone))
}

/// Checks the same for several functions.
///
/// # Errors
/// The host runs one of them with other values.
pub(super) async fn check_all<'f>(
    host: &InvokeClient,
    functions: impl Iterator<Item = &'f Function>,
) -> Result<(), CommandError> {
    for function in functions {
        let differs = host.differences(function);
        if !differs.is_empty() && host.is_running().await {
            return Err(otherwise(&function.id, &differs, ""));
        }
    }
    Ok(())
}

fn otherwise(function: &str, differs: &[String], alone: &str) -> CommandError {
    CommandError::configuration(format!(
        "the running host runs {function} otherwise than these arguments say ({}). Leave them \
         out, name the values that usher up was started with, stop the host and start it with \
         these{alone}",
        differs.join(", ")
    ))
}
