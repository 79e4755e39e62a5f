//! The command line: what is asked for, where the log goes, and how a run ends.
//!
//! Exit codes: 0 done; 1 the function failed, or the host could not go on; 2 the configuration is wrong, said in one message.

mod arguments;
mod exit;
mod invoke;
mod logging;
mod picture;
mod prepare;
mod up;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Cli, Command};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start();
    let outcome = match cli.command {
        Command::Up(arguments) => up::run(&arguments),
        Command::Invoke(arguments) => invoke::run(&arguments),
        Command::Template(arguments) => picture::run(&arguments),
    };
    outcome.unwrap_or_else(exit::Wrong::report)
}
