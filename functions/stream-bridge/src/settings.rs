//! Settings of the stream-bridge, from the environment variables in template.yaml.

use std::time::Duration;

use redis_streams::GroupSettings;
use shared::config::{Problems, Reader, Url};
use shared::naming::Names;
use shared::sqs::Access;

/// Response timeout of Redis.
pub(crate) const REDIS_TIMEOUT: Duration = Duration::from_secs(1);
/// When consumers of ended runs are deleted, if they hold no entry.
const FORGET: Duration = Duration::from_secs(600);

/// How the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A Lambda function: one run for each tick.
    Lambda,
    /// A server: one run until SIGTERM.
    AlwaysOn,
}

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How the process runs.
    pub mode: Mode,
    /// The names of this environment.
    pub names: Names,
    /// The Redis of caches and streams.
    pub redis: Url,
    /// Name of the stream, without prefix.
    pub stream: String,
    /// Name of the group, without prefix.
    pub group: String,
    /// How to read the stream.
    pub reading: GroupSettings,
    /// The queue.
    pub queue_url: String,
    /// Region, credentials and endpoint of SQS.
    pub sqs: Access,
    /// Response timeout of SQS.
    pub sqs_timeout: Duration,
    /// For a FIFO queue: the field whose value is the message group.
    pub fifo_field: Option<String>,
    /// The function's timeout in the template.
    pub timeout: Duration,
    /// How long before its timeout a run ends.
    pub stop_margin: Duration,
}

impl Settings {
    /// Reads the settings and reports all problems together.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let mode = mode(reader);
        let names = reader.names();
        let redis = reader.redis_url("REDIS_CACHE_URL");
        let stream = reader.text_or("STREAM", "program-changed");
        let group = reader.text_or("STREAM_GROUP", "stream-bridge");
        let queue_url = reader.url("QUEUE_URL", &["http", "https"]);
        let sqs = Access::read(reader);
        let batch = reader.integer_or("STREAM_BATCH", 1..=1_000, 100);
        let block = reader.milliseconds_or("STREAM_BLOCK_MS", 1..=60_000, 5_000);
        let idle = reader.milliseconds_or("TAKE_OVER_IDLE_MS", 100..=3_600_000, 30_000);
        let max_deliveries = reader.integer_or("MAX_DELIVERIES", 1..=1_000, 5);
        let sqs_timeout = reader.milliseconds_or("SQS_TIMEOUT_MS", 100..=30_000, 5_000);
        let stop_margin = reader.milliseconds_or("STOP_MARGIN_MS", 100..=60_000, 8_000);
        let timeout = reader.seconds_or("FUNCTION_TIMEOUT_SECONDS", 1..=900, 75);
        let fifo_field = reader.optional_text("FIFO_GROUP_FIELD");
        if let Some((margin, request)) = stop_margin.zip(sqs_timeout) {
            let min = request + 2 * REDIS_TIMEOUT;
            if margin < min {
                let allowed = format!(
                    "at least SQS_TIMEOUT_MS + 2000, {} here, to finish requests in flight",
                    min.as_millis()
                );
                reader.refuse(
                    "STOP_MARGIN_MS",
                    format_args!("is {}", margin.as_millis()),
                    allowed,
                );
            }
        }
        if let Some(url) = &queue_url
            && url.as_str().strip_suffix(".fifo").is_some() != fifo_field.is_some()
        {
            let allowed = "the field whose value is the message group if QUEUE_URL ends with \
                           .fifo, and missing if not";
            reader.refuse(
                "FIFO_GROUP_FIELD",
                if fifo_field.is_some() {
                    "is given"
                } else {
                    "is missing"
                },
                allowed,
            );
        }
        reader.finish(|| {
            Some(Self {
                mode: mode?,
                names: names?,
                redis: redis?,
                stream: stream?,
                group: group?,
                reading: GroupSettings {
                    batch: batch?,
                    block: block?,
                    idle: idle?,
                    max_deliveries: max_deliveries?,
                    forget: FORGET,
                    ordered: fifo_field.is_some(),
                },
                queue_url: queue_url?.as_str().to_owned(),
                sqs: sqs?,
                sqs_timeout: sqs_timeout?,
                fifo_field,
                timeout: timeout?,
                stop_margin: stop_margin?,
            })
        })
    }
}

/// `MODE`, or `lambda` if the Runtime API is present, or `always-on`.
fn mode(reader: &Reader) -> Option<Mode> {
    match reader.optional_text("MODE").as_deref() {
        Some("lambda") => Some(Mode::Lambda),
        Some("always-on") => Some(Mode::AlwaysOn),
        Some(other) => {
            reader.refuse(
                "MODE",
                format_args!("is {other:?}"),
                "lambda or always-on; if missing: lambda where AWS_LAMBDA_RUNTIME_API is set",
            );
            None
        }
        None if reader.optional_text("AWS_LAMBDA_RUNTIME_API").is_some() => Some(Mode::Lambda),
        None => Some(Mode::AlwaysOn),
    }
}
