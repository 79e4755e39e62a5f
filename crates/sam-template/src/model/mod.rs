//! The resolved application: what the template and usher.toml say together, with every intrinsic evaluated.
//!
//! The template and project rooms produce it; every later room only reads it.

pub mod asynchronous;
pub mod http;
pub mod keys;
pub mod location;
pub mod logging;
pub mod qualified;
pub mod security;
pub mod sqs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use event_sources::filter::Filters;

pub use asynchronous::{EventInvoke, EventTarget};
pub use http::{
    Api, ApiKind, Cors, JwtAuthorizer, PreflightMock, RestApi, Route, Throttle, Throttling,
};
pub use keys::KeySource;
pub use location::Location;
pub use logging::{LogFormat, LogLevel, Logging};
pub use security::Security;
pub use sqs::{Queue, Redrive, SqsMapping};

/// Everything that one `usher up` runs.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Stack name: the template's folder name unless `usher.toml` says otherwise. Part of derived consumer group names.
    pub stack: String,
    /// Region and account that ARNs and pseudo parameters name.
    pub location: Location,
    /// Functions by logical id.
    pub functions: BTreeMap<String, Function>,
    /// Functions that this host cannot run, by logical id: they are listed, and their triggers do not start.
    pub skipped: BTreeMap<String, Skipped>,
    /// Kafka event source mappings.
    pub kafka: Vec<KafkaMapping>,
    /// SQS event source mappings.
    pub sqs: Vec<SqsMapping>,
    /// Queues of the template.
    pub queues: Vec<Queue>,
    /// Where SQS answers, without a slash at the end. Always there when there are queues or SQS mappings.
    pub sqs_endpoint: Option<String>,
    /// Where the Redis answers whose streams' dead letters are looked after.
    pub redis_endpoint: Option<String>,
    /// What becomes of asynchronous events, by the function's logical id; the others have the defaults.
    pub event_invoke: BTreeMap<String, EventInvoke>,
    /// Schedules (rules and `EventBridge` Scheduler).
    pub schedules: Vec<Schedule>,
    /// Everything that is asked over HTTP: HTTP APIs, REST APIs and function URLs.
    pub apis: Vec<Api>,
    /// Values that must never be printed: `NoEcho` parameters and resolved secrets.
    pub secrets: BTreeSet<String>,
    /// Things the template asks for that this host does not run, each with its line.
    pub warnings: Vec<Diagnostic>,
}

/// A message about a place in the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// File, as the user named it.
    pub file: String,
    /// Line, counted from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Application {
    /// Something of it calls SQS: a queue of the template, a source that is one, or a destination.
    pub fn uses_sqs(&self) -> bool {
        let letters = self
            .kafka
            .iter()
            .filter(|mapping| matches!(mapping.on_failure, Some(Destination::Sqs(_))));
        !self.queues.is_empty()
            || self.sqs.iter().any(|mapping| mapping.enabled)
            || letters.into_iter().any(|mapping| mapping.enabled)
            || self
                .event_invoke
                .values()
                .any(|config| config.queues().next().is_some())
    }
}

impl fmt::Display for Diagnostic {
    /// `file:line: message`; line 0 means the file as a whole.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}: {}", self.file, self.message),
        }
    }
}

/// One Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Logical id in the template: the name used on the command line and in logs.
    pub id: String,
    /// `AWS_LAMBDA_FUNCTION_NAME`: `FunctionName` if given, else stack and logical id.
    pub name: String,
    /// Region and account of its ARN.
    pub location: Location,
    /// Its aliases and published versions. All of them are the one code there is; `$LATEST` is not among them.
    pub qualifiers: BTreeSet<String>,
    /// Where the code comes from.
    pub code: Code,
    /// The file and the line that say so, for messages: `template.yaml:9`. Empty when no template does.
    pub place: String,
    /// `_HANDLER`.
    pub handler: String,
    /// Time an invocation may take. Template default 3 s.
    pub timeout: Duration,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, MB. Template default 128.
    pub memory_mb: u32,
    /// Most instances at one time (`ReservedConcurrentExecutions`); `None`: the host's own limit. 0 means switched off.
    pub concurrency: Option<u32>,
    /// The template's environment variables, resolved.
    pub environment: BTreeMap<String, String>,
    /// `LoggingConfig`: format and levels of the function's log.
    pub logging: Logging,
}

/// A function of the template that this host cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// `FunctionName` if given, else stack and logical id.
    pub name: String,
    /// `Runtime`, or `image` for a container image.
    pub runtime: String,
    /// Why it is not run, as a sentence without a full stop.
    pub reason: String,
}

/// Where a function's binary is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// `BuildMethod: rust-cargolambda`: the cargo package or workspace in this folder, and the binary to take from it.
    Cargo {
        /// Folder of the Cargo.toml.
        dir: PathBuf,
        /// Binary name: Metadata BuildProperties.Binary, else the package's name. `None`: the only binary of a workspace
        /// without a package of its own.
        binary: Option<String>,
    },
    /// `BuildMethod: makefile` or `go1.x`: a tool of its own leaves `bootstrap` in a folder.
    Tool(ToolBuild),
    /// A folder that already holds an executable `bootstrap`, or the path of the executable itself.
    Prebuilt(PathBuf),
}

/// A build by another tool than cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolBuild {
    /// Which tool.
    pub tool: Tool,
    /// Folder of the sources (`CodeUri`, or `ContextDir`).
    pub source: PathBuf,
    /// Where the tool runs: the sources, or `WorkingDirectory`.
    pub working: PathBuf,
    /// Where the executable is left: `.aws-sam/build/FUNCTION`, as SAM does.
    pub artifacts: PathBuf,
}

/// What builds a function that is no cargo package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// `make build-FUNCTION` with `ARTIFACTS_DIR`.
    Make,
    /// `go build`.
    Go,
}

/// An event source mapping from Kafka topics to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaMapping {
    /// Logical id of the mapping (function id and event name for events written inside a function).
    pub id: String,
    /// Function's logical id.
    pub function: String,
    /// `host:port,...`
    pub bootstrap_servers: String,
    /// How they are reached.
    pub security: Security,
    /// Which of Lambda's two event shapes to send.
    pub kind: KafkaKind,
    /// Topics. SAM allows exactly one; the long-hand form too.
    pub topics: Vec<String>,
    /// `ConsumerGroupId`, or the derived one.
    pub group: String,
    /// Where a group without committed offsets starts.
    pub start: StartingPosition,
    /// Records in one invocation at most, 1..=10,000. Default 100.
    pub batch_size: u32,
    /// Most time to gather a batch. Zero: invoke as soon as records wait.
    pub batching_window: Duration,
    /// `FunctionResponseTypes` has `ReportBatchItemFailures`.
    pub partial_responses: bool,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`: `None` is -1, for ever.
    pub max_retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`: `None` is -1, for ever.
    pub max_age: Option<Duration>,
    /// DestinationConfig.OnFailure.Destination.
    pub on_failure: Option<Destination>,
    /// `FilterCriteria`, about `value`; `None`: the function sees every record.
    pub filters: Option<Filters>,
    /// Enabled: false maps but does not poll.
    pub enabled: bool,
}

/// Which Kafka event source it is; decides `eventSource` and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KafkaKind {
    /// `SelfManagedKafka`; the event names the bootstrap servers.
    SelfManaged,
    /// `aws:kafka`; the event names this ARN.
    Msk {
        /// `EventSourceArn`
        arn: String,
    },
}

/// `StartingPosition` of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartingPosition {
    /// From the oldest record kept.
    TrimHorizon,
    /// From records written after the group's first assignment.
    Latest,
    /// From the first record at or after this time, milliseconds since 1970.
    AtTimestamp(i64),
}

/// Where a discarded batch goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A topic of the same cluster (`kafka://topic`).
    KafkaTopic(String),
    /// A queue, by ARN.
    Sqs(String),
}

/// A timed invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Logical id (function id and event name).
    pub id: String,
    /// Function's logical id.
    pub function: String,
    /// `rate(..)`, `cron(..)` or `at(..)`, as written; checked when read.
    pub expression: String,
    /// IANA zone; UTC for rules.
    pub timezone: String,
    /// Input: sent bare instead of the service's own payload.
    pub input: Option<String>,
    /// Which service would send it: they differ in payload.
    pub kind: ScheduleKind,
    /// State / Enabled.
    pub enabled: bool,
    /// `StartDate`: nothing fires before; rates count from it.
    pub start: Option<Timestamp>,
    /// `EndDate`: nothing fires after.
    pub end: Option<Timestamp>,
    /// The resource's ARN as the event names it.
    pub arn: String,
}

/// Which service fires a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleKind {
    /// SAM `Schedule`: an `EventBridge` rule.
    Rule,
    /// SAM `ScheduleV2`: `EventBridge` Scheduler.
    Scheduler,
}
