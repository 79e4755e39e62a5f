//! The start of every function: its log, then its settings, or one message with every problem, then
//! what the settings name: certificates, logins and keys.

#[cfg(feature = "access")]
use crate::access::{Access, AccessSettings};
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

/// Reads certificates, logins and keys.
///
/// If one of them is missing or wrong, prints the reason to standard error and ends the process: it
/// could not work.
#[cfg(feature = "access")]
pub async fn access(settings: &AccessSettings) -> Access {
    Access::open(settings).await.unwrap_or_else(|error| {
        eprintln!("{error}");
        std::process::exit(1)
    })
}
