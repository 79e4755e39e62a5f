//! What every command begins with: the application, resolved; and for those that run it, the executables.

use std::path::Path;

use super::arguments::Build;
use super::exit::Wrong;
use crate::build::{self, Binaries};
use crate::model::Application;
use crate::project::{Arguments, Project};
use crate::template;

/// Reads the project, then its template, which means little without the values that the project gives it.
pub(super) fn application(template: &Path, arguments: &Arguments) -> Result<(Project, Application), Wrong> {
    let project = Project::load(template, arguments).map_err(|found| Wrong::problems(&found))?;
    let application = template::load(template, &project).map_err(|found| Wrong::problems(&found))?;
    Ok((project, application))
}

/// Tells what is left out or looks wrong.
pub(super) fn warn(application: &Application) {
    for warning in &application.warnings {
        tracing::warn!("{warning}");
    }
}

/// The executables of these functions (all when none are named).
pub(super) fn binaries(
    application: &Application,
    project: &Project,
    arguments: &Build,
    only: &[String],
) -> Result<Binaries, Wrong> {
    let options = build::Options {
        profile: arguments.profile.clone().or_else(|| project.profile.clone()),
        no_build: arguments.no_build,
        only: only.to_vec(),
    };
    build::build(application, &options).map_err(|error| Wrong::configuration(error.to_string()))
}

/// A runtime for the rest.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Wrong> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Wrong::failure(format!("cannot start threads: {error}")))
}
