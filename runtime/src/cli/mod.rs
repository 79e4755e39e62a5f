//! The command line.
//!
//! Exit codes: 0 done; 1 the function or the command failed; 2 the configuration is invalid, with
//! every problem in one message; 3 part of the work was done, and the rest is reported with its
//! reason.

mod address;
mod arguments;
mod bridge;
mod control_address;
mod doctor;
mod error;
mod event_input;
mod init;
mod invoke;
mod logging;
mod logs;
mod manual;
mod offsets;
mod operations;
mod parked;
mod prepare;
mod project_arguments;
mod running_host;
mod settings;
mod stop_signals;
mod template;
mod up;

#[cfg(test)]
mod documentation_tests;

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Cli, Command};

/// A value as text; `none` if there is no value.
fn shown(value: Option<impl Display>, none: &str) -> String {
    value.map_or_else(|| none.to_owned(), |value| value.to_string())
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let log = logging::start();
    let outcome = match cli.command {
        Command::Init(arguments) => init::project(&arguments),
        Command::New(command) => init::add(&command),
        Command::Up(arguments) => up::run(&arguments, log),
        Command::Invoke(arguments) => invoke::run(&arguments),
        Command::Logs(arguments) => logs::run(&arguments),
        Command::Template(arguments) => template::run(&arguments),
        Command::Settings(arguments) => settings::list(&arguments),
        Command::Set(arguments) => settings::set(&arguments),
        Command::Offsets(arguments) => offsets::run(&arguments),
        Command::Pause(arguments) => settings::pause(&arguments, true),
        Command::Resume(arguments) => settings::pause(&arguments, false),
        Command::Parked(arguments) => parked::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Bridge(arguments) => bridge::run(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::pages(&arguments),
    };
    outcome.unwrap_or_else(error::CommandError::report)
}
