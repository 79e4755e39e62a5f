//! Common first steps of commands: resolve the application, build the executables, start a runtime.

use std::path::Path;

use super::arguments::{ApplicationArguments, BuildArguments};
use super::error::CommandError;
use crate::build::{self, Binaries};
use sam_template::model::Application;
use sam_template::project::{Arguments, CheckedProject, Project};
use sam_template::redaction;
use sam_template::template;

/// Reads the project, then its template.
pub(super) fn application(
    source: &ApplicationArguments,
) -> Result<(Project, Application), CommandError> {
    let (project, application, found) = check(&source.template, &source.arguments());
    if found.is_empty() {
        Ok((project, application))
    } else {
        Err(CommandError::problems(&found))
    }
}

/// The valid part of project and template, and every problem of both. If the project's files cannot
/// be read, the template is not checked, as it depends on their values.
pub(super) fn check(template: &Path, arguments: &Arguments) -> (Project, Application, Vec<String>) {
    let CheckedProject {
        mut project,
        problems,
        readable,
    } = Project::check(template, arguments);
    let mut found: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let mut application = Application::default();
    if readable {
        let checked = template::check(template, &project);
        application = checked.0;
        found.extend(checked.1.iter().map(ToString::to_string));
        // Settings of functions that are not run, and of their sources, have no effect.
        let changes = &mut project.setting_changes;
        changes.retain(|change| !application.leaves_out(&change.target));
    }
    // The template states which of the project's values are secrets.
    let found = redacted(&found, &application);
    (project, application, found)
}

/// Messages with secrets hidden.
pub(super) fn redacted(messages: &[String], application: &Application) -> Vec<String> {
    messages
        .iter()
        .map(|message| redaction::text(message, &application.secrets).into_owned())
        .collect()
}

/// Logs the template's warnings.
pub(super) fn warn(application: &Application) {
    for warning in &application.warnings {
        tracing::warn!("{warning}");
    }
}

/// Builds the executables of these functions; of all if none are named.
pub(super) fn binaries(
    application: &Application,
    project: &Project,
    arguments: &BuildArguments,
    only: &[String],
) -> Result<Binaries, CommandError> {
    let options = build_options(project, arguments, only);
    build::build(application, &options).map_err(CommandError::configuration)
}

/// Build options for these functions; for all if none are named.
pub(super) fn build_options(
    project: &Project,
    arguments: &BuildArguments,
    only: &[String],
) -> build::BuildOptions {
    build::BuildOptions {
        profile: arguments
            .profile
            .as_ref()
            .or(project.profile.as_ref())
            .cloned(),
        no_build: arguments.no_build,
        only: only.to_vec(),
    }
}

/// Starts the asynchronous runtime.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    // else that variable sets the number
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        builder.worker_threads(workers());
    }
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| CommandError::failure(format!("cannot start threads: {error}")))
}

/// Threads of the runtime: half of the processors, as functions and servers of the same machine
/// need the others. Threads that have little to do wake each other for each event: measured with
/// two processors, a second thread raised the CPU time of a request by a third and lowered the rate.
fn workers() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).max(1)
}

#[cfg(test)]
mod tests {
    use sam_template::project::SETTINGS;

    use super::*;

    const TEMPLATE: &str = "Transform: AWS::Serverless-2016-10-31
Resources:
  Off:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: worker, Handler: app.run, Runtime: ruby3.4}
  Never:
    Type: AWS::Serverless::Function
    Condition: Disabled
    Properties: {CodeUri: worker, Handler: bootstrap, Runtime: provided.al2023}
  NeverRecords:
    Type: AWS::Lambda::EventSourceMapping
    Condition: Disabled
    Properties: {FunctionName: !Ref Never, Topics: [records]}
Conditions: {Disabled: !Equals [a, b]}
";

    #[test]
    fn settings_of_what_does_not_run_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let template = folder.path().join("template.yaml");
        std::fs::write(&template, TEMPLATE).unwrap();
        let settings = "[sources.changes]\ntype = 'RedisStream'\nfunction = 'Off'\n\
                        [settings.changes]\npaused = true\n[settings.Off]\nconcurrency = 2\n\
                        [settings.Never]\nconcurrency = 2\n[settings.NeverRecords]\npaused = \
                        true\n[settings.'Never.Tick']\npaused = true\n\
                        [settings.other]\npaused = true\n";
        std::fs::write(folder.path().join(SETTINGS), settings).unwrap();
        let (project, application, _) = check(&template, &Arguments::default());
        assert!(application.skipped.contains_key("Off"));
        let left = project.setting_changes.iter();
        let left: Vec<&str> = left.map(|change| change.target.as_str()).collect();
        assert_eq!(left, ["other"]);
    }
}
