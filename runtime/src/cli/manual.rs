//! `usher completions` and `usher man`: made from the same description as the arguments.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::aot::{Shell, generate};
use clap_mangen::Man;

use super::arguments::Cli;
use super::error::CommandError;

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: CompletedShell,
}

/// A shell with completions.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum CompletedShell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Write `usher.1`, and a page for each command, into this folder, which must exist
    #[arg(long, value_name = "FOLDER")]
    into: Option<PathBuf>,
}

/// `usher completions`.
pub(super) fn completions(arguments: &CompletionsArguments) -> Result<ExitCode, CommandError> {
    let shell = match arguments.shell {
        CompletedShell::Bash => Shell::Bash,
        CompletedShell::Zsh => Shell::Zsh,
        CompletedShell::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut command(), NAME, &mut script);
    written(io::stdout().lock().write_all(&script), "the script")
}

/// `usher man`.
pub(super) fn pages(arguments: &ManArguments) -> Result<ExitCode, CommandError> {
    if let Some(folder) = &arguments.into {
        let outcome = clap_mangen::generate_to(command(), folder);
        return written(outcome, &format!("pages into {}", folder.display()));
    }
    let mut page = Vec::new();
    let outcome = Man::new(command())
        .render(&mut page)
        .and_then(|()| io::stdout().lock().write_all(&page));
    written(outcome, "the page")
}

const NAME: &str = "usher";

/// The command line.
fn command() -> clap::Command {
    Cli::command().name(NAME)
}

fn written(outcome: io::Result<()>, what: &str) -> Result<ExitCode, CommandError> {
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(CommandError::failure(format!(
            "cannot write {what}: {error}"
        ))),
    }
}
