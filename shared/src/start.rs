//! How every function begins: its log first, then its settings, or one message that names every problem with them.

use crate::config::{Problems, Reader};

/// Opens the log as the environment asks for, and reads the settings from it.
///
/// `None`: a setting is missing or wrong. The message stands on standard error already; the program ends with a failure.
pub fn settings<S>(read: impl FnOnce(&Reader) -> Result<S, Problems>) -> Option<S> {
    let reader = Reader::from_env();
    crate::telemetry::init(&reader);
    read(&reader)
        .map_err(|problems| eprintln!("{problems}"))
        .ok()
}
