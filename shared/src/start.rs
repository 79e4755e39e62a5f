//! The start of every function: its log, then its settings, or one message with every problem.

use crate::config::{Problems, Reader};

/// Opens the log as the environment configures it, and reads the settings.
///
/// If a setting is missing or wrong, prints all problems to standard error and ends the process.
pub fn settings<S>(read: impl FnOnce(&Reader) -> Result<S, Problems>) -> S {
    let reader = Reader::from_env();
    crate::telemetry::init(&reader);
    read(&reader).unwrap_or_else(|problems| {
        eprintln!("{problems}");
        std::process::exit(1)
    })
}
