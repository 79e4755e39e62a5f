//! JSON logs, one line per event: `timestamp`, `level`, `target`, `message`, the fields of the
//! event, and `span` with the fields of the innermost span (`lambda_runtime` puts the request id
//! there).

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::Reader;

/// Sets up logs to standard output, filtered by `RUST_LOG`, else `LOG_LEVEL`, else `info`.
///
/// A filter that cannot be read becomes a problem of `reader`, reported with all others; the filter
/// is `info` then. A second call in the same process changes nothing.
pub fn init(reader: &Reader) {
    let subscriber = subscriber(filter(reader), std::io::stdout);
    // Fails only if logging has been set up before; that setup stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn filter(reader: &Reader) -> EnvFilter {
    for variable in ["RUST_LOG", "LOG_LEVEL"] {
        if let Some(text) = reader.optional_text(variable) {
            return EnvFilter::try_new(&text).unwrap_or_else(|_| {
                let allowed =
                    "error, warn, info, debug, trace or off, or a list such as info,shared=debug";
                reader.refuse(variable, format_args!("is {text:?}"), allowed);
                EnvFilter::new("info")
            });
        }
    }
    EnvFilter::new("info")
}

fn subscriber<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0
                .lock()
                .expect("no writer panics")
                .extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: EnvFilter, events: impl FnOnce()) -> Vec<serde_json::Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(subscriber(filter, move || writer.clone()), events);
        let bytes = lines.0.lock().expect("no writer panics").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
            .collect()
    }

    #[test]
    fn a_line_carries_its_events_fields() {
        let lines = logged(EnvFilter::new("info"), || {
            tracing::info!(order = "17", program = 4, trace = "00-ab", "order stored");
            tracing::debug!("not shown");
        });
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["message"], "order stored");
        assert_eq!(line["target"], "shared::telemetry::logs::tests");
        assert_eq!(
            (&line["order"], &line["program"], &line["trace"]),
            (&"17".into(), &4.into(), &"00-ab".into())
        );
        assert!(
            line["timestamp"].as_str().is_some_and(|t| t.ends_with('Z')),
            "{line}"
        );
    }

    #[test]
    fn rust_log_wins_over_log_level() {
        let reader = Reader::new([("RUST_LOG", "error"), ("LOG_LEVEL", "trace")]);
        assert_eq!(filter(&reader).to_string(), "error");
        assert_eq!(
            filter(&Reader::new([("LOG_LEVEL", "debug")])).to_string(),
            "debug"
        );
        assert_eq!(filter(&Reader::new::<&str, &str>([])).to_string(), "info");
    }

    #[test]
    fn an_unreadable_filter_is_a_reported_problem() {
        let reader = Reader::new([("RUST_LOG", "shared=loud")]);
        let _ = filter(&reader);
        let _ = reader.names();
        let problems = reader
            .finish(|| Some(()))
            .expect_err("two problems")
            .to_string();
        assert!(
            problems.contains("RUST_LOG") && problems.contains("ENV_PREFIX"),
            "{problems}"
        );
    }
}
