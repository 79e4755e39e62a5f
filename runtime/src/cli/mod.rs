//! The command line: what is asked for, where the log goes, and how a run ends.
//!
//! Exit codes: 0 done; 1 the function failed, or the host could not go on; 2 the configuration is wrong, said in one message;
//! 3 a part of the work was done, and the rest is named with its reason.

mod arguments;
mod beside;
mod bridge;
mod doctor;
mod ending;
mod exit;
mod invoke;
mod logging;
mod offsets;
mod operations;
mod parked;
mod picture;
mod prepare;
mod settings;
mod up;

#[cfg(test)]
mod printed_tests;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Cli, Command};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = logging::start();
    let outcome = match cli.command {
        Command::Up(arguments) => up::run(&arguments, log),
        Command::Invoke(arguments) => invoke::run(&arguments),
        Command::Template(arguments) => picture::run(&arguments),
        Command::Settings(arguments) => settings::list(&arguments),
        Command::Set(arguments) => settings::set(&arguments),
        Command::Offsets(arguments) => offsets::run(&arguments),
        Command::Pause(arguments) => settings::pause(&arguments, true),
        Command::Resume(arguments) => settings::pause(&arguments, false),
        Command::Parked(arguments) => parked::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Bridge(arguments) => bridge::run(&arguments),
    };
    outcome.unwrap_or_else(exit::Wrong::report)
}
