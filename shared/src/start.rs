//! The start of every function: its log, then its settings, or one message with every problem.

use crate::config::{Problems, Reader};

/// Opens the log as the environment configures it, and reads the settings.
///
/// `None` if a setting is missing or wrong; the message was printed to standard error.
pub fn settings<S>(read: impl FnOnce(&Reader) -> Result<S, Problems>) -> Option<S> {
    let reader = Reader::from_env();
    crate::telemetry::init(&reader);
    read(&reader)
        .map_err(|problems| eprintln!("{problems}"))
        .ok()
}
