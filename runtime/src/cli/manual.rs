//! `usher completions` and `usher man`: made from the same description as the arguments.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::aot::{Shell, generate};
use clap_mangen::Man;

use super::arguments::Cli;
use super::error::CommandError;
use super::project_arguments::{CompletedShell, CompletionsArguments, ManArguments};

/// `usher completions`.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<ExitCode, CommandError> {
    let shell = match arguments.shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "usher", &mut script);
    written(io::stdout().lock().write_all(&script), "the script")
}

/// `usher man`.
pub(super) fn pages(arguments: &ManArguments) -> Result<ExitCode, CommandError> {
    if let Some(folder) = &arguments.into {
        let outcome = clap_mangen::generate_to(Cli::command(), folder);
        return written(outcome, &format!("pages into {}", folder.display()));
    }
    let mut page = Vec::new();
    // As the pages in a folder: `help` has none.
    let outcome = Man::new(Cli::command().disable_help_subcommand(true))
        .render(&mut page)
        .and_then(|()| io::stdout().lock().write_all(&page));
    written(outcome, "the page")
}

fn written(outcome: io::Result<()>, what: &str) -> Result<ExitCode, CommandError> {
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(CommandError::failure(format!(
            "cannot write {what}: {error}"
        ))),
    }
}
