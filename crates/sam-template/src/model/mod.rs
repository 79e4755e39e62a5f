//! The resolved application: template and usher.toml combined, with every intrinsic evaluated.
//!
//! `template` and `project` build it; every other module only reads it.

pub mod asynchronous;
pub mod declared;
pub mod embedded;
pub mod http;
pub mod keys;
pub mod location;
pub mod logging;
pub mod managed;
pub mod qualified;
pub mod script;
pub mod security;
pub mod sqs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use event_sources::filter::Filters;

pub use asynchronous::{EventInvokeConfig, EventTarget};
pub use declared::DeclaredSource;
pub use embedded::EmbeddedQueues;
pub use http::{
    Api, ApiKind, Cors, JwtAuthorizer, PreflightMock, RestApi, Route, Throttle, Throttling,
};
pub use keys::KeySource;
pub use location::Location;
pub use logging::{LogFormat, LogLevel, Logging};
pub use managed::{Initialization, ManagedInstances};
pub use script::{Language, Script, ScriptSource};
pub use security::{KafkaSecurity, RedisEndpoint};
pub use sqs::{Queue, Redrive, SqsMapping};

/// Everything that one host runs.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Stack name: from `usher.toml`, else the name of the template's folder. Part of derived
    /// consumer group names.
    pub stack: String,
    /// Region and account that ARNs and pseudo parameters name.
    pub location: Location,
    /// Functions by logical id.
    pub functions: BTreeMap<String, Function>,
    /// Functions that this host cannot run, by logical id. Their triggers do not start.
    pub skipped: BTreeMap<String, SkippedFunction>,
    /// Kafka event source mappings.
    pub kafka: Vec<KafkaMapping>,
    /// SQS event source mappings.
    pub sqs: Vec<SqsMapping>,
    /// Queues of the template.
    pub queues: Vec<Queue>,
    /// URL of SQS without a trailing slash. Set whenever there are queues or SQS mappings.
    pub sqs_endpoint: Option<String>,
    /// The host serves that endpoint itself, since none is configured.
    pub embedded_queues: Option<EmbeddedQueues>,
    /// The Redis whose streams are sources or have dead letters.
    pub redis_endpoint: Option<RedisEndpoint>,
    /// Asynchronous invocation by function's logical id; other functions have the defaults.
    pub event_invoke: BTreeMap<String, EventInvokeConfig>,
    /// Schedules (rules and `EventBridge` Scheduler).
    pub schedules: Vec<Schedule>,
    /// Sources of events of other types, which usher.toml declares for functions that run.
    pub declared: Vec<DeclaredSource>,
    /// HTTP APIs, REST APIs and function URLs.
    pub apis: Vec<Api>,
    /// Values that must never be printed: `NoEcho` parameters and resolved secrets.
    pub secrets: BTreeSet<String>,
    /// Functions and sources that are declared and do not run: their condition is false, or this
    /// host cannot run the function. Logical ids, and ids of usher.toml.
    pub left_out: BTreeSet<String>,
    /// Parts of the template that this host does not run, each with its line.
    pub warnings: Vec<Diagnostic>,
}

/// A message about a line of a file.
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
    /// Whether a function, or a source by its id (`Function.Event` for an event of a function), is
    /// declared and does not run.
    pub fn leaves_out(&self, id: &str) -> bool {
        let function = id.split('.').next().unwrap_or_default();
        self.left_out.contains(id) || self.left_out.contains(function)
    }

    /// Whether any queue, mapping or destination needs SQS.
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
    /// Aliases and published versions, without `$LATEST`. All of them run the same build.
    pub qualifiers: BTreeSet<String>,
    /// Source of the executable.
    pub code: Code,
    /// File and line of `CodeUri` for messages: `template.yaml:9`. Empty without a template.
    pub place: String,
    /// `_HANDLER`.
    pub handler: String,
    /// Longest time of an invocation. Default 3 s.
    pub timeout: Duration,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, MB. Default 128.
    pub memory_mb: u32,
    /// `ReservedConcurrentExecutions`: concurrent executions; `None`: none is reserved; 0:
    /// switched off.
    pub concurrency: Option<u32>,
    /// It runs on Lambda Managed Instances; `None`: a process takes one invocation at a time.
    pub managed: Option<ManagedInstances>,
    /// The template's environment variables, resolved.
    pub environment: BTreeMap<String, String>,
    /// `LoggingConfig`: format and levels of the function's log.
    pub logging: Logging,
}

impl Function {
    /// Invocations that one process takes at one time.
    pub fn per_instance(&self) -> u32 {
        let managed = self.managed.as_ref();
        managed.map_or(1, |managed| managed.max_concurrency)
    }

    /// How its processes are started.
    pub fn initialization(&self) -> Initialization {
        match self.managed {
            Some(_) => Initialization::ManagedInstances,
            None => Initialization::OnDemand,
        }
    }

    /// Invocations at one time at most, where the host's limit of processes is `default`.
    pub fn max_invocations(&self, default: usize) -> usize {
        let instances = self.max_instances().map_or(default, |max| max as usize);
        instances * self.per_instance() as usize
    }

    /// Processes at one time at most; `None`: the host's limit; 0: switched off.
    ///
    /// `ReservedConcurrentExecutions` counts invocations. A process takes [`Self::per_instance`] of
    /// them, so that it is applied in whole processes.
    pub fn max_instances(&self) -> Option<u32> {
        if self.concurrency == Some(0) {
            return Some(0);
        }
        let own = self
            .managed
            .as_ref()
            .and_then(|managed| managed.max_instances);
        let reserved = self.concurrency;
        own.or_else(|| reserved.map(|reserved| reserved.div_ceil(self.per_instance())))
    }
}

/// A function of the template that this host cannot run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedFunction {
    /// `FunctionName` if given, else stack and logical id.
    pub name: String,
    /// `Runtime`, or `image` for a container image.
    pub runtime: String,
    /// Why the host does not run it, as a clause.
    pub reason: String,
}

/// Source of a function's executable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// `BuildMethod: rust-cargolambda`: a cargo package or workspace, and its binary.
    Cargo {
        /// Folder of the Cargo.toml.
        dir: PathBuf,
        /// Binary name: Metadata BuildProperties.Binary, else the package's name. `None`: the only
        /// binary of a virtual workspace.
        binary: Option<String>,
    },
    /// `BuildMethod: makefile` or `go1.x`: another tool writes `bootstrap` to a folder.
    Tool(ToolBuild),
    /// A function of a language runtime, which an interpreter of this machine runs.
    Script(Script),
    /// A folder with an executable `bootstrap`, or the path of the executable.
    Prebuilt(PathBuf),
}

/// A build with another tool than cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolBuild {
    /// The tool.
    pub tool: Tool,
    /// Folder of the sources (`CodeUri`, or `ContextDir`).
    pub source: PathBuf,
    /// Working directory of the tool: the sources, or `WorkingDirectory`.
    pub working: PathBuf,
    /// Output folder: `.aws-sam/build/FUNCTION`, as with SAM.
    pub artifacts: PathBuf,
}

/// Builds functions that are not cargo packages.
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
    /// Encryption and credentials.
    pub security: KafkaSecurity,
    /// Self-managed or MSK, which differ in their event.
    pub kind: KafkaKind,
    /// Topics. The service allows exactly one.
    pub topics: Vec<String>,
    /// `ConsumerGroupId`, or the derived one.
    pub group: String,
    /// Where a consumer group without committed offsets starts.
    pub start: StartingPosition,
    /// Records in one invocation at most, 1..=10,000. Default 100.
    pub batch_size: u32,
    /// Longest wait for a full batch. Zero: invoke as soon as records arrive.
    pub batching_window: Duration,
    /// `FunctionResponseTypes` contains `ReportBatchItemFailures`.
    pub partial_responses: bool,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`; `None` is -1, unlimited.
    pub max_retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; `None` is -1, unlimited.
    pub max_age: Option<Duration>,
    /// `DestinationConfig.OnFailure.Destination`.
    pub on_failure: Option<Destination>,
    /// `FilterCriteria` on `value`; `None`: the function receives every record.
    pub filters: Option<Filters>,
    /// `Enabled`: a disabled mapping is listed but not polled.
    pub enabled: bool,
}

/// Kind of Kafka event source, which decides `eventSource` in the event.
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

/// Destination of a discarded batch.
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
    /// `Input`: sent as the whole event instead of the service's own.
    pub input: Option<String>,
    /// The service, which decides the event's format.
    pub kind: ScheduleKind,
    /// `State` or `Enabled`.
    pub enabled: bool,
    /// `StartDate`: the first possible time, and the start of a rate.
    pub start: Option<Timestamp>,
    /// `EndDate`: the last possible time.
    pub end: Option<Timestamp>,
    /// ARN of the rule or schedule, for the event.
    pub arn: String,
}

/// The service that fires a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleKind {
    /// SAM `Schedule`: an `EventBridge` rule.
    Rule,
    /// SAM `ScheduleV2`: `EventBridge` Scheduler.
    Scheduler,
}
