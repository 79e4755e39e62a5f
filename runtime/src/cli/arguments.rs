//! What can be said on the command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::operations::{Bridge, Doctor, Offsets, Parked, Running, Set, Switched};
use crate::faults::Plan;
use crate::project;

/// Runs AWS SAM applications on your own machine, without Docker: native functions over the Lambda Runtime API, fed by
/// Kafka, SQS, schedules and HTTP as in the cloud.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Build and run the whole application until Ctrl-C, which drains it; a second Ctrl-C ends it at once
    Up(Up),
    /// Hand one event to a function of the running host and print its answer; where none runs, start just that function
    Invoke(Invoke),
    /// Show what the template comes to: functions, triggers, routes and what is left out. Secrets are hidden
    Template(Source),
    /// List what may be changed of the running host, and what was
    Settings(Running),
    /// Change a setting of the running host: `usher set Orders batch-size=500`, `usher set log=debug`
    Set(Set),
    /// Have a source of the running host, or one partition of it, start no further invocation; it stays in its consumer group
    Pause(Switched),
    /// Have a paused source or partition go on
    Resume(Switched),
    /// Where the consumer groups of Kafka mappings stand: list them, pass a record, read from elsewhere
    Offsets(Offsets),
    /// Dead letters of the application's sources: list them, look at them, bring them back
    Parked(Parked),
    /// Say what this machine lacks for the application, and how to mend it
    Doctor(Doctor),
    /// Copy the records of a Kafka topic to a queue, at least once, until Ctrl-C
    Bridge(Bridge),
}

/// Environment of samconfig.toml that is read unless another is named.
const DEFAULT_ENV: &str = "default";

/// Which application, and with which values.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The SAM template; usher.toml and samconfig.toml are read from its folder. Without it: template.yaml, template.yml or
    /// template.json of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
    /// Template parameters, as in SAM: Name=value ...
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    pub(super) parameter_overrides: Vec<String>,
    /// JSON file with values for variables that functions declare, as in SAM
    #[arg(long, value_name = "FILE")]
    pub(super) env_vars: Option<PathBuf>,
    /// Environment of samconfig.toml whose [ENV.global] and [ENV.up] sections are read
    #[arg(long, value_name = "ENV", default_value = DEFAULT_ENV)]
    pub(super) config_env: String,
    /// Also take the parameter overrides of samconfig.toml's deploy section
    #[arg(long, value_enum, value_name = "SECTION")]
    pub(super) params_from: Option<ParamsFrom>,
    /// A host outside this machine that may be talked to; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) allow_remote: Vec<String>,
    /// Region of ARNs, of the template and of the functions [default: `AWS_REGION`, `AWS_DEFAULT_REGION`, samconfig.toml's, usher.toml's,
    /// else us-east-1]
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// Where SQS answers; functions that use the AWS SDK are sent there too [default: usher.toml's [endpoints] sqs]
    #[arg(long, value_name = "URL")]
    pub(super) sqs_endpoint: Option<String>,
    /// Where the Redis answers whose streams' dead letters are looked after [default: usher.toml's [endpoints] redis]
    #[arg(long, value_name = "URL")]
    pub(super) redis_endpoint: Option<String>,
}

/// Sections of samconfig.toml that are read only when asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ParamsFrom {
    /// What `sam deploy` uses
    Deploy,
}

/// Where the executables come from.
#[derive(Debug, Args)]
pub(super) struct Build {
    /// Run what an earlier build left
    #[arg(long)]
    pub(super) no_build: bool,
    /// Cargo profile to build with [default: usher.toml's, else `local` where the workspace has one, else release]
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    pub(super) source: Source,
    #[command(flatten)]
    pub(super) build: Build,
    /// Public keys for JWT authorizers: a JWKS file, followed while it changes, or a URL, read again every ten minutes
    #[arg(long, value_name = "FILE|URL")]
    pub(super) jwks: Option<String>,
    /// Where HTTP APIs listen; each further API takes the next port [default: usher.toml's, else 127.0.0.1:18080]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) http: Option<String>,
    /// Serve the live page, /metrics and /health on this loopback address [default: usher.toml's control]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// Whether this host fires the schedules; one of several hosts should
    #[arg(long, value_enum, value_name = "ON|OFF", default_value = "on")]
    pub(super) schedules: Switch,
    /// Where the Invoke API listens, for the AWS command line and SDKs [default: 127.0.0.1:3001, or another port if that is
    /// taken]. Other machines than this one are served only with --token; signatures are never checked
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// What callers of other machines must send to the Invoke API, as their access key id or as a bearer token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "USHER_TOKEN",
        hide_env_values = true
    )]
    pub(super) token: Option<String>,
    #[command(flatten)]
    pub(super) state: State,
    #[command(flatten)]
    pub(super) faults: Faults,
    /// Drain and end when standard input is closed, which a program that started this host does by its own end, however it ends
    #[arg(long)]
    pub(super) until_stdin_closes: bool,
    /// Wait as the service waits: batches of Kafka gather for half a second, retries take their time
    #[arg(long)]
    pub(super) aws_timing: bool,
}

/// What a host keeps.
#[derive(Debug, Args)]
pub(super) struct State {
    /// Folder of the host's own: accepted events, where it is found [default: .aws-sam/usher beside the template]
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

impl State {
    /// The folder of a project's host.
    pub(super) fn folder(&self, template: &Path) -> PathBuf {
        self.state
            .clone()
            .unwrap_or_else(|| template.with_file_name(".aws-sam").join("usher"))
    }
}

/// What goes wrong on purpose, to see whether the application bears it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults on purpose")]
pub(super) struct Faults {
    /// Share of the invocations whose event is delivered twice, 0 to 1
    #[arg(long, value_name = "P", default_value = "0", hide_default_value = true, value_parser = share)]
    duplicate: f64,
    /// Share of the invocations whose process is killed, half of them when they answer, 0 to 1
    #[arg(long, value_name = "P", default_value = "0", hide_default_value = true, value_parser = share)]
    kill: f64,
    /// The longest that an invocation waits before its function gets it: 250ms, 2s
    #[arg(long, value_name = "TIME", default_value = "0s", hide_default_value = true, value_parser = time)]
    delay: Duration,
    /// Stop processes between invocations, as Lambda freezes them
    #[arg(long)]
    freeze: bool,
    /// Chooses who is hit; the same seed hits the same invocations [default: random, shown at the start]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Panic once in this part of the host, a second after its start: `mapping Orders`, `polling Orders`, `schedule Tick`,
    /// `function Worker`, `asynchronous events`, as /_usher/status names them; may be repeated
    #[arg(long, value_name = "PART", hide = true)]
    panic: Vec<String>,
}

impl Faults {
    /// In the words of the faults room.
    pub(super) fn plan(&self) -> Plan {
        let Self {
            duplicate,
            kill,
            delay,
            freeze,
            seed,
            ..
        } = *self;
        Plan {
            seed: seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            duplicate,
            kill,
            delay,
            freeze,
        }
    }

    /// Parts of the host that panic once.
    pub(super) fn panics(&self) -> &[String] {
        &self.panic
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1, such as 0.1".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits
        .parse()
        .map_err(|_| "a time is a whole number with ms or s, such as 250ms".to_owned())?;
    match &text[digits.len()..] {
        "ms" => Ok(Duration::from_millis(number)),
        "s" => Ok(Duration::from_secs(number)),
        _ => Err("a time ends with ms or s, such as 250ms".to_owned()),
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

#[derive(Debug, Args)]
pub(super) struct Invoke {
    /// The function: its logical id in the template, its name (`FunctionName`) or its ARN
    #[arg(value_name = "FUNCTION")]
    pub(super) function: String,
    /// File with the event (JSON); - reads standard input [default: the empty event {}]
    #[arg(short, long, value_name = "FILE")]
    pub(super) event: Option<PathBuf>,
    /// Do not wait: the running host takes the event over, and prints its request id
    #[arg(long = "async")]
    pub(super) asynchronous: bool,
    /// Print the last 4 KB of what the function of the running host printed; one started for this prints everything
    #[arg(long)]
    pub(super) log: bool,
    /// Start the function here even if a host runs
    #[arg(long, conflicts_with = "asynchronous")]
    pub(super) alone: bool,
    #[command(flatten)]
    pub(super) state: State,
    #[command(flatten)]
    pub(super) source: Source,
    #[command(flatten)]
    pub(super) build: Build,
}

/// The region of the command line, else of the variables that AWS' own tools read.
pub(super) fn region(written: Option<&str>) -> Option<project::SourcedValue> {
    let given = |value: String, source: &str| project::SourcedValue {
        value,
        source: source.to_owned(),
    };
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .filter(|value| !value.is_empty())
            .map(|value| given(value, name))
    };
    let own = written.map(|value| given(value.to_owned(), "--region"));
    own.or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"))
}

impl Source {
    /// An argument may give functions other values than the template of the folder and its settings do: values, or another
    /// template. Where a host runs, it has decided.
    pub(super) fn decides(&self) -> bool {
        let usual = project::in_folder(self.template.parent().unwrap_or(Path::new("")));
        if usual.is_some_and(|usual| usual.file_name() != self.template.file_name()) {
            return true;
        }
        let given = project::Arguments {
            allow_remote: Vec::new(),
            redis_endpoint: None,
            ..self.arguments()
        };
        given
            != project::Arguments {
                config_env: DEFAULT_ENV.to_owned(),
                ..project::Arguments::default()
            }
    }

    /// In the words of the project room.
    pub(super) fn arguments(&self) -> project::Arguments {
        project::Arguments {
            config_env: self.config_env.clone(),
            params_from_deploy: self.params_from == Some(ParamsFrom::Deploy),
            parameter_overrides: self.parameter_overrides.clone(),
            env_vars: self.env_vars.clone(),
            allow_remote: self.allow_remote.clone(),
            sqs_endpoint: self.sqs_endpoint.clone(),
            redis_endpoint: self.redis_endpoint.clone(),
            region: region(self.region.as_deref()),
            ..project::Arguments::default()
        }
    }
}
