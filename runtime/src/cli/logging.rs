//! The host's own log, on standard error; standard output is for responses and the functions'
//! lines.
//!
//! An event is one line. Messages and fields may contain text from outside (error messages, names,
//! responses of servers), so [`terminal::line`] escapes them.

use std::fmt;
use std::io::IsTerminal as _;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::Context;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, reload};

use crate::control::LogSwitch;
use crate::observation::count_host_alarm;
use crate::terminal;

/// Default of `RUST_LOG`. librdkafka repeats messages while a broker is unavailable.
const DEFAULT: &str = "info,librdkafka=error,rdkafka=error";

/// Starts logging at the level of `RUST_LOG`, without colours if `NO_COLOR` is set. The switch
/// changes the level while the program runs.
pub(super) fn start() -> LogSwitch {
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|text| EnvFilter::try_new(text).is_ok());
    let now = wanted.unwrap_or_else(|| DEFAULT.to_owned());
    let (filter, handle) = reload::Layer::new(EnvFilter::new(&now));
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colours)
        .with_target(false)
        .fmt_fields(fields())
        .with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(AlarmCounter)
        .init();
    let set = move |text: &str| Ok(handle.reload(EnvFilter::try_new(text)?)?);
    LogSwitch {
        now,
        set: Arc::new(set),
    }
}

/// Counts the host's own alarms, as far as they are logged.
struct AlarmCounter;

impl<S: Subscriber> Layer<S> for AlarmCounter {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut AlarmVisitor);
    }
}

struct AlarmVisitor;

impl Visit for AlarmVisitor {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "alarm" {
            count_host_alarm(value);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// Formats `message field=value ...` on one line.
fn fields() -> impl for<'writer> FormatFields<'writer> + 'static {
    debug_fn(write_field).delimited(" ")
}

fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let text = format!("{value:?}");
    let text = terminal::line(&text);
    match field.name() {
        "message" => write!(writer, "{text}"),
        // Italic and dimmed, as in the crate's own format.
        name if writer.has_ansi_escapes() => {
            write!(writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{text}")
        }
        name => write!(writer, "{name}={text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_alarm_of_the_host_is_counted() {
        let alarm = "an_alarm_of_this_test";
        tracing::subscriber::with_default(
            tracing_subscriber::registry().with(AlarmCounter),
            || {
                tracing::error!(alarm, function = "F", "lost");
                tracing::error!(function = alarm, "not an alarm");
            },
        );
        let counts = crate::observation::host_alarms();
        let found = counts.iter().find(|(_, name, _)| *name == alarm);
        assert_eq!(found, Some((None, alarm, 1)));
    }

    #[test]
    fn an_event_is_one_line() {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .fmt_fields(fields())
            .with_writer(move || writer.clone());
        let hostile = "oops\n2026-01-01T00:00:00Z  INFO all is well\x1b[2J\u{202e}";
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(function = "F", error = %hostile, quoted = hostile, "failed: {hostile}");
        });
        let text = String::from_utf8(
            written
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
        .unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(!text.contains(['\x1b', '\u{202e}']), "{text:?}");
        assert!(
            text.contains("failed: oops\\n2026")
                && text.contains("function=\"F\"")
                && text.contains("\\u001b[2J"),
            "{text}"
        );
    }
}
