//! Settings of the stream-bridge, from the environment variables in template.yaml.

use std::time::Duration;

use redis_streams::GroupSettings;
use shared::access::{AccessSettings, Needed};
use shared::config::{Problems, Reader, Server};
use shared::naming::Names;
use shared::sqs::SqsAccess;

/// Response timeout of Redis.
pub(crate) const REDIS_TIMEOUT: Duration = Duration::from_secs(1);
/// When consumers of ended runs are deleted, if they hold no entry.
const FORGET: Duration = Duration::from_secs(600);

const QUEUE: &str = "QUEUE_URL";
const FIFO_FIELD: &str = "FIFO_GROUP_FIELD";
const SQS_TIMEOUT: &str = "SQS_TIMEOUT_MS";
const STOP_MARGIN: &str = "STOP_MARGIN_MS";

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
    pub redis: Server,
    /// Name of the stream, without prefix.
    pub stream: String,
    /// Name of the group, without prefix.
    pub group: String,
    /// How to read the stream.
    pub reading: GroupSettings,
    /// The queue.
    pub queue_url: String,
    /// Region, credentials and endpoint of SQS.
    pub sqs: SqsAccess,
    /// Response timeout of SQS.
    pub sqs_timeout: Duration,
    /// For a FIFO queue: the field whose value is the message group.
    pub fifo_field: Option<String>,
    /// The function's timeout in the template.
    pub timeout: Duration,
    /// How long before its timeout a run ends.
    pub stop_margin: Duration,
    /// Certificates and logins.
    pub access: AccessSettings,
}

impl Settings {
    /// Reads the settings and reports all problems together.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| {
            let mode = mode(reader);
            let names = reader.names();
            let redis = reader.redis("REDIS_CACHE");
            let needed = Needed {
                logins: vec![redis.login.clone()],
                ..Needed::default()
            };
            let stream = reader.text_or("STREAM", "program-changed");
            let group = reader.text_or("STREAM_GROUP", "stream-bridge");
            let queue_url = reader.url(QUEUE, &["http", "https"]).as_str().to_owned();
            let fifo_field = fifo_field(reader, &queue_url);
            let sqs_timeout = reader.milliseconds_or(SQS_TIMEOUT, 100..=30_000, 5_000);
            Self {
                mode,
                names,
                redis,
                stream,
                group,
                reading: GroupSettings {
                    batch: reader.integer_or("STREAM_BATCH", 1..=1_000, 100),
                    block: reader.milliseconds_or("STREAM_BLOCK_MS", 1..=60_000, 5_000),
                    idle: reader.milliseconds_or("TAKE_OVER_IDLE_MS", 100..=3_600_000, 30_000),
                    max_deliveries: reader.integer_or("MAX_DELIVERIES", 1..=1_000, 5),
                    forget: FORGET,
                    ordered: fifo_field.is_some(),
                },
                queue_url,
                sqs: SqsAccess::read(reader),
                sqs_timeout,
                fifo_field,
                timeout: reader.seconds_or("FUNCTION_TIMEOUT_SECONDS", 1..=900, 75),
                stop_margin: stop_margin(reader, sqs_timeout),
                access: AccessSettings::read(reader, needed),
            }
        })
    }
}

/// Long enough to finish the requests in flight.
fn stop_margin(reader: &Reader, sqs_timeout: Duration) -> Duration {
    let margin = reader.milliseconds_or(STOP_MARGIN, 100..=60_000, 8_000);
    let min = sqs_timeout + 2 * REDIS_TIMEOUT;
    if margin < min && reader.accepts(&[STOP_MARGIN, SQS_TIMEOUT]) {
        let allowed = format!(
            "at least SQS_TIMEOUT_MS + 2000, {} here, to finish requests in flight",
            min.as_millis()
        );
        let wrong = format_args!("is {}", margin.as_millis());
        reader.refuse(STOP_MARGIN, wrong, allowed);
    }
    margin
}

/// Given exactly if the queue is a FIFO queue.
fn fifo_field(reader: &Reader, queue_url: &str) -> Option<String> {
    let field = reader.optional_text(FIFO_FIELD);
    let wrong = match (queue_url.strip_suffix(".fifo").is_some(), &field) {
        (false, Some(_)) => "is given",
        (true, None) => "is missing",
        _ => return field,
    };
    if reader.accepts(&[QUEUE, FIFO_FIELD]) {
        let allowed = "the field whose value is the message group if QUEUE_URL ends with .fifo, and \
                       missing if not";
        reader.refuse(FIFO_FIELD, wrong, allowed);
    }
    field
}

/// `MODE`, or `lambda` if the Runtime API is present, or `always-on`.
fn mode(reader: &Reader) -> Mode {
    let default = match reader.optional_text("AWS_LAMBDA_RUNTIME_API") {
        Some(_) => Mode::Lambda,
        None => Mode::AlwaysOn,
    };
    let allowed = "lambda or always-on; if missing: lambda where AWS_LAMBDA_RUNTIME_API is set";
    reader.parsed_or("MODE", allowed, default, |mode| match mode {
        "lambda" => Some(Mode::Lambda),
        "always-on" => Some(Mode::AlwaysOn),
        _ => None,
    })
}
