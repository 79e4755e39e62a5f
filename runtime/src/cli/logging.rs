//! The host's own log: standard error, so that standard output belongs to answers and to the functions' lines.

use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt, reload};

use crate::control::LogSwitch;

/// What is logged unless `RUST_LOG` says otherwise. librdkafka repeats itself while a broker is away.
const DEFAULT: &str = "info,librdkafka=error,rdkafka=error";

/// Starts logging. `RUST_LOG` chooses what, `NO_COLOR` takes the colours away, and the switch changes it while the program runs.
pub(super) fn start() -> LogSwitch {
    let wanted = std::env::var("RUST_LOG").ok().filter(|text| EnvFilter::try_new(text).is_ok());
    let now = wanted.unwrap_or_else(|| DEFAULT.to_owned());
    let (filter, handle) = reload::Layer::new(EnvFilter::new(&now));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = fmt::layer().with_ansi(colours).with_target(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(filter).with(lines).init();
    let set = move |text: &str| {
        let filter = EnvFilter::try_new(text).map_err(|error| format!("log must be a level, such as info or debug ({error})"))?;
        handle.reload(filter).map_err(|error| error.to_string())
    };
    LogSwitch { now, set: Arc::new(set) }
}
