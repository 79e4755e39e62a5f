//! What every command begins with: the application, resolved; and for those that run it, the executables.

use std::path::Path;

use super::arguments::Build;
use super::exit::Wrong;
use crate::build::{self, Binaries};
use crate::model::Application;
use crate::project::{Arguments, Examined, Project};
use crate::redaction;
use crate::template;
use crate::tuning::SettingChange;

/// Reads the project, then its template.
pub(super) fn application(
    template: &Path,
    arguments: &Arguments,
) -> Result<(Project, Application), Wrong> {
    let (project, application, found) = examine(template, arguments);
    if found.is_empty() {
        Ok((project, application))
    } else {
        Err(Wrong::problems(&found))
    }
}

/// What is sound of both, and every problem of either. A template means little without the values that the project gives it:
/// where those cannot be read at all, it is left alone.
pub(super) fn examine(
    template: &Path,
    arguments: &Arguments,
) -> (Project, Application, Vec<String>) {
    let Examined {
        mut project,
        problems,
        readable,
    } = Project::examine(template, arguments);
    let mut found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let mut application = Application::default();
    if readable {
        let examined = template::examine(template, &project);
        application = examined.0;
        found.extend(examined.1.iter().map(ToString::to_string));
        // Settings of a function that this host cannot run, and of its sources, have nothing to change.
        let function =
            |wish: &SettingChange| wish.target.split('.').next().unwrap_or_default().to_owned();
        project
            .tuned
            .retain(|wish| !application.skipped.contains_key(&function(wish)));
    }
    // only the template says which of the project's values are secrets
    let found = redacted(&found, &application);
    (project, application, found)
}

/// Messages as they may be printed.
pub(super) fn redacted(messages: &[String], application: &Application) -> Vec<String> {
    messages
        .iter()
        .map(|message| redaction::text(message, &application.secrets).into_owned())
        .collect()
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
    let options = build_options(project, arguments, only);
    build::build(application, &options).map_err(|error| Wrong::configuration(error.to_string()))
}

/// How the executables of these functions (all when none are named) are made.
pub(super) fn build_options(
    project: &Project,
    arguments: &Build,
    only: &[String],
) -> build::Options {
    build::Options {
        profile: arguments
            .profile
            .clone()
            .or_else(|| project.profile.clone()),
        no_build: arguments.no_build,
        only: only.to_vec(),
    }
}

/// A runtime for the rest.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Wrong> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.map_err(|error| Wrong::failure(format!("cannot start threads: {error}")))
}
