//! `usher doctor`.

use std::process::ExitCode;

use super::error::CommandError;
use super::operations::DoctorArguments;
use super::prepare;
use super::settings::print;
use super::up::open_to_others;
use crate::doctor::{DoctorInput, Severity, run_checks};

/// Prints every finding. Exit code 2 if the application would not start.
pub(super) fn run(arguments: &DoctorArguments) -> Result<ExitCode, CommandError> {
    let (project, app, mut problems) =
        prepare::check(&arguments.source.template, &arguments.source.arguments());
    problems.extend(project.control.and_then(open_to_others));
    let build = prepare::build_options(&project, &arguments.build, &[]);
    let input = DoctorInput {
        project: &project,
        app: &app,
        problems,
        build,
    };
    let found = prepare::runtime()?.block_on(run_checks(&input));
    let findings: Vec<String> = found.iter().map(|finding| format!("{finding}\n")).collect();
    let lines = prepare::redacted(&findings, &app);
    let count = |severity| {
        found
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let warnings = count(Severity::Warn);
    let failures = count(Severity::Fail);
    print(&format!(
        "{}\n{failures} failed, {warnings} warnings\n",
        lines.concat()
    ))?;
    Ok(if failures > 0 {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}
