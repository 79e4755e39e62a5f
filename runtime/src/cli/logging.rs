//! The host's own log: standard error, so that standard output belongs to answers and to the functions' lines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// What is logged unless `RUST_LOG` says otherwise. librdkafka repeats itself while a broker is away.
const DEFAULT: &str = "info,librdkafka=error,rdkafka=error";

/// Starts logging. `RUST_LOG` chooses what, `NO_COLOR` takes the colours away.
pub(super) fn start() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_target(false).with_writer(std::io::stderr).init();
}
