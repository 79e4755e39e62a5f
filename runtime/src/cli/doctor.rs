//! `usher doctor`.

use std::process::ExitCode;

use super::exit::Wrong;
use super::operations::Doctor;
use super::prepare;
use super::settings::print;
use super::up::open_to_others;
use crate::doctor::{Level, Subject, examine};

/// Prints every finding. Exit code 2 if the application would not start.
pub(super) fn run(arguments: &Doctor) -> Result<ExitCode, Wrong> {
    let (project, app, mut problems) =
        prepare::check(&arguments.source.template, &arguments.source.arguments());
    problems.extend(project.control.and_then(open_to_others));
    let build = prepare::build_options(&project, &arguments.build, &[]);
    let subject = Subject {
        project: &project,
        app: &app,
        problems,
        build,
    };
    let found = prepare::runtime()?.block_on(examine(&subject));
    let findings: Vec<String> = found.iter().map(|finding| format!("{finding}\n")).collect();
    let lines = prepare::redacted(&findings, &app);
    let count = |level| {
        found
            .iter()
            .filter(|finding| finding.level == level)
            .count()
    };
    let warnings = count(Level::Warn);
    let failures = count(Level::Fail);
    print(&format!(
        "{}\n{failures} to mend, {warnings} to look at\n",
        lines.concat()
    ))?;
    Ok(if failures > 0 {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    })
}
