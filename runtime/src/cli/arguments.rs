//! The commands and their arguments.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::operations::{
    BridgeArguments, DoctorArguments, HostArguments, OffsetsCommand, ParkedCommand, PauseArguments,
    SetArguments,
};
use super::project_arguments::{CompletionsArguments, InitArguments, ManArguments, NewCommand};
use crate::build;
use crate::faults::FaultPlan;
use crate::instances::LogStyle;
use sam_template::project;

/// Runs AWS SAM applications on your own machine, without Docker: native functions over the Lambda
/// Runtime API, fed by Kafka, SQS, schedules and HTTP as in the cloud.
#[derive(Debug, Parser)]
#[command(version = crate::VERSION, max_term_width = 110)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a project with one function, its test, sample events, and a template that SAM deploys
    Init(InitArguments),
    /// Add to the project of this folder
    #[command(subcommand)]
    New(NewCommand),
    /// Build and run the whole application until Ctrl-C, which drains it; a second Ctrl-C stops it
    /// immediately
    Up(UpArguments),
    /// Send one event to a function of the running host and print its response; without a host,
    /// start only that function
    Invoke(InvokeArguments),
    /// Calls of a function and what it printed: of the running host, and of earlier ones of this
    /// state folder
    Logs(LogsArguments),
    /// Show the resolved template: functions, triggers, routes and what is left out. Secrets are
    /// hidden
    Template(ApplicationArguments),
    /// List the settings of the running host, and their changes
    Settings(HostArguments),
    /// Change a setting of the running host: `usher set Orders batch-size=500`, `usher set
    /// log=debug`
    Set(SetArguments),
    /// Pause a source of the running host, or one partition of it: it starts no invocation and
    /// stays in its consumer group
    Pause(PauseArguments),
    /// Resume a paused source or partition
    Resume(PauseArguments),
    /// Positions of the consumer groups of Kafka mappings: list them, skip a record, read from
    /// another offset
    #[command(subcommand)]
    Offsets(OffsetsCommand),
    /// Dead letters of the application's sources: list, show and replay them
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// Check whether this machine has what the application needs, and say how to fix what it lacks
    Doctor(DoctorArguments),
    /// Copy the records of a Kafka topic to a queue, at least once, until Ctrl-C
    Bridge(BridgeArguments),
    /// Print a script that completes the commands of `usher` in a shell
    Completions(CompletionsArguments),
    /// Print the manual page of `usher`, or write one for each command into a folder
    Man(ManArguments),
}

/// Default environment of samconfig.toml.
const DEFAULT_ENV: &str = "default";

/// The application and its values.
#[derive(Debug, Args)]
pub(super) struct ApplicationArguments {
    /// The SAM template; usher.toml and samconfig.toml are read from its folder. Without it:
    /// template.yaml, template.yml or template.json of this folder
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
    /// Also read the parameter overrides of samconfig.toml's deploy section
    #[arg(long, value_enum, value_name = "SECTION")]
    pub(super) params_from: Option<ParamsFrom>,
    /// Another machine that may be contacted; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) allow_remote: Vec<String>,
    /// Region of ARNs, of the template and of the functions [default: `AWS_REGION`,
    /// `AWS_DEFAULT_REGION`, samconfig.toml's, usher.toml's, else us-east-1]
    #[arg(long, value_name = "REGION")]
    pub(super) region: Option<String>,
    /// URL of SQS, also for the AWS SDK in the functions [default: usher.toml's [endpoints] sqs,
    /// else `AWS_ENDPOINT_URL_SQS`, else queues that the host serves itself]
    #[arg(long, value_name = "URL")]
    pub(super) sqs_endpoint: Option<String>,
    /// URL of the Redis whose streams have dead letters [default: usher.toml's [endpoints] redis]
    #[arg(long, value_name = "URL")]
    pub(super) redis_endpoint: Option<String>,
}

/// Optional sections of samconfig.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ParamsFrom {
    /// The section of `sam deploy`
    Deploy,
}

/// How to build the executables.
#[derive(Debug, Args)]
pub(super) struct BuildArguments {
    /// Run the results of an earlier build
    #[arg(long)]
    pub(super) no_build: bool,
    /// Cargo profile to build with [default: usher.toml's, else `local` where the workspace has
    /// one, else release]
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UpArguments {
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
    #[command(flatten)]
    pub(super) build: BuildArguments,
    /// Public keys for JWT authorizers: a JWKS file, read again when it changes, or a URL, read
    /// again every ten minutes
    #[arg(long, value_name = "FILE|URL")]
    pub(super) jwks: Option<String>,
    /// Address of the first HTTP API; each further API takes the next port [default: usher.toml's,
    /// else 127.0.0.1:18080]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) http: Option<String>,
    /// Serve the live page, /metrics and /health on this loopback address [default: usher.toml's
    /// control]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// Whether this host fires the schedules; one of several hosts should
    #[arg(long, value_enum, value_name = "ON|OFF", default_value = "on")]
    pub(super) schedules: Switch,
    /// Address of the Invoke API, for the AWS command line and SDKs [default: 127.0.0.1:3001, or
    /// another port if that is taken]. Clients on other machines need --token; signatures are never
    /// checked
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// Secret that clients on other machines send to the Invoke API, as their access key id or as a
    /// bearer token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "USHER_TOKEN",
        hide_env_values = true
    )]
    pub(super) token: Option<String>,
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) faults: FaultArguments,
    /// Drain and stop when standard input is closed, as happens when the program that started this
    /// host ends
    #[arg(long)]
    pub(super) until_stdin_closes: bool,
    /// How calls and the output of functions are printed
    #[arg(long, value_enum, value_name = "STYLE", default_value = "calls")]
    pub(super) log: LogStyle,
    /// Wait as long as the service does: batches of Kafka for half a second, retries with full
    /// backoff
    #[arg(long)]
    pub(super) aws_timing: bool,
}

/// Files of a host.
#[derive(Debug, Args)]
pub(super) struct StateArguments {
    /// Folder for accepted events and the host file [default: .aws-sam/usher beside the template]
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
}

impl StateArguments {
    /// The folder of this template's host.
    pub(super) fn folder(&self, template: &Path) -> PathBuf {
        self.state
            .clone()
            .unwrap_or_else(|| template.with_file_name(".aws-sam").join("usher"))
    }
}

/// Injected faults, to test the application.
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults on purpose")]
pub(super) struct FaultArguments {
    #[command(flatten)]
    plan: FaultPlan,
    /// Seed that selects the invocations; the same seed selects the same ones [default: random,
    /// logged at startup]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Panic once in this component, a second after its start: `mapping Orders`, `polling Orders`,
    /// `schedule Tick`, `function Worker`, `asynchronous events`, as /_usher/status names them; may
    /// be repeated
    #[arg(long, value_name = "PART", hide = true)]
    pub(super) panic: Vec<String>,
}

impl FaultArguments {
    /// The fault plan.
    pub(super) fn plan(&self) -> FaultPlan {
        let random = || u64::from(rand::random::<u32>());
        FaultPlan {
            seed: self.seed.unwrap_or_else(random),
            ..self.plan
        }
    }
}

/// `on` or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

#[derive(Debug, Args)]
pub(super) struct InvokeArguments {
    /// The function: its logical id in the template, its name (`FunctionName`) or its ARN
    #[arg(value_name = "FUNCTION")]
    pub(super) function: String,
    /// File with the event (JSON); - reads standard input [default: the empty event {}]
    #[arg(short, long, value_name = "FILE")]
    pub(super) event: Option<PathBuf>,
    /// The event itself (JSON), or @FILE; @- reads standard input
    #[arg(
        long,
        value_name = "JSON",
        conflicts_with = "event",
        allow_hyphen_values = true
    )]
    pub(super) data: Option<String>,
    /// Do not wait: the running host stores the event, and the command prints its request id
    #[arg(long = "async")]
    pub(super) asynchronous: bool,
    /// Print the last 4 KB of the output of the running host's function; a function started by this
    /// command prints everything
    #[arg(long)]
    pub(super) log: bool,
    /// Start the function in this process even if a host runs
    #[arg(long, conflicts_with = "asynchronous")]
    pub(super) alone: bool,
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
    #[command(flatten)]
    pub(super) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(super) struct LogsArguments {
    /// Logical id of the function [default: all]
    #[arg(value_name = "FUNCTION")]
    pub(super) function: Option<String>,
    /// Only lines since then: an age (`90s`, `10m`, `2h`, `1h 30m`) or a time
    /// (`2026-01-31T09:00:00Z`)
    #[arg(long, value_name = "AGE|TIME")]
    pub(super) since: Option<String>,
    /// Only calls that failed, with what they printed
    #[arg(long)]
    pub(super) failed: bool,
    /// Only the call with this request id
    #[arg(long, value_name = "ID")]
    pub(super) request_id: Option<String>,
    /// Continue with new lines until Ctrl-C
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Print each line as a JSON object
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) state: StateArguments,
    /// The template, beside which the state folder is. Without it: template.yaml, template.yml or
    /// template.json of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
}

/// The region of the command line, else of the variables that AWS tools read.
pub(super) fn region(written: Option<&str>) -> Option<project::SourcedValue> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let names = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    let variables = names.map(|name| (variable(name), name));
    let own = (written.map(str::to_owned), "--region");
    let mut sources = [own].into_iter().chain(variables);
    sources.find_map(|(value, source)| {
        Some(project::SourcedValue {
            value: value?,
            source: source.to_owned(),
        })
    })
}

impl ApplicationArguments {
    /// Whether an argument may give functions other values than the folder's template and settings.
    /// A running host has its own values.
    pub(super) fn decides(&self) -> bool {
        let usual = project::in_folder(self.template.parent().unwrap_or(Path::new("")));
        if usual.is_some_and(|usual| usual.file_name() != self.template.file_name()) {
            return true;
        }
        let given = project::Arguments {
            allow_remote: Vec::new(),
            redis_endpoint: None,
            languages: BTreeSet::new(),
            ..self.arguments()
        };
        given
            != project::Arguments {
                config_env: DEFAULT_ENV.to_owned(),
                ..project::Arguments::default()
            }
    }

    /// The settings for the project.
    pub(super) fn arguments(&self) -> project::Arguments {
        project::Arguments {
            config_env: self.config_env.clone(),
            params_from_deploy: self.params_from == Some(ParamsFrom::Deploy),
            parameter_overrides: self.parameter_overrides.clone(),
            env_vars: self.env_vars.clone(),
            allow_remote: self.allow_remote.clone(),
            sqs_endpoint: self.sqs_endpoint.clone(),
            sqs_variable: std::env::var(project::SQS_VARIABLE)
                .ok()
                .filter(|url| !url.is_empty()),
            redis_endpoint: self.redis_endpoint.clone(),
            region: region(self.region.as_deref()),
            languages: build::languages(),
            ..project::Arguments::default()
        }
    }
}
