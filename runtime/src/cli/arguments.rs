//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::operations::{Bridge, Doctor, Parked, Running, Set, Switched};
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
    /// Start one function, hand it one event and print its answer
    Invoke(Invoke),
    /// Show what the template comes to: functions, triggers, routes and what is left out. Secrets are hidden
    Template(Source),
    /// List what may be changed of the running host, and what was
    Settings(Running),
    /// Change a setting of the running host: `usher set Orders batch-size=500`, `usher set log=debug`
    Set(Set),
    /// Have a source of the running host start no further invocation; it stays in its consumer group
    Pause(Switched),
    /// Have a paused source go on
    Resume(Switched),
    /// Dead letters of the application's sources: list them, look at them, bring them back
    Parked(Parked),
    /// Say what this machine lacks for the application, and how to mend it
    Doctor(Doctor),
    /// Copy the records of a Kafka topic to a queue, at least once, until Ctrl-C
    Bridge(Bridge),
}

/// Which application, and with which values.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The SAM template; usher.toml and samconfig.toml are read from its folder
    #[arg(short, long, value_name = "FILE", default_value = "template.yaml")]
    pub(super) template: PathBuf,
    /// Template parameters, as in SAM: Name=value ...
    #[arg(long, value_name = "NAME=VALUE", num_args = 1..)]
    pub(super) parameter_overrides: Vec<String>,
    /// JSON file with values for variables that functions declare, as in SAM
    #[arg(long, value_name = "FILE")]
    pub(super) env_vars: Option<PathBuf>,
    /// Environment of samconfig.toml whose [ENV.global] and [ENV.up] sections are read
    #[arg(long, value_name = "ENV", default_value = "default")]
    pub(super) config_env: String,
    /// Also take the parameter overrides of samconfig.toml's deploy section
    #[arg(long, value_enum, value_name = "SECTION")]
    pub(super) params_from: Option<ParamsFrom>,
    /// A host outside this machine that may be talked to; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) allow_remote: Vec<String>,
    /// Where SQS answers; functions that use the AWS SDK are sent there too [default: usher.toml's [endpoints] sqs]
    #[arg(long, value_name = "URL")]
    pub(super) sqs_endpoint: Option<String>,
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
    /// Public keys (a JWKS file) for JWT authorizers
    #[arg(long, value_name = "FILE")]
    pub(super) jwks: Option<PathBuf>,
    /// Where HTTP APIs listen; each further API takes the next port [default: usher.toml's, else 127.0.0.1:18080]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) http: Option<String>,
    /// Serve the live page, /metrics and /health on this loopback address [default: usher.toml's control]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// Whether this host fires the schedules; one of several hosts should
    #[arg(long, value_enum, value_name = "ON|OFF", default_value = "on")]
    pub(super) schedules: Switch,
    /// Wait as the service waits: batches of Kafka gather for half a second, retries take their time
    #[arg(long)]
    pub(super) aws_timing: bool,
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
    /// Logical id of the function in the template
    #[arg(value_name = "FUNCTION")]
    pub(super) function: String,
    /// File with the event (JSON); - reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub(super) event: PathBuf,
    #[command(flatten)]
    pub(super) source: Source,
    #[command(flatten)]
    pub(super) build: Build,
}

impl Source {
    /// In the words of the project room.
    pub(super) fn arguments(&self) -> project::Arguments {
        project::Arguments {
            config_env: self.config_env.clone(),
            params_from_deploy: self.params_from == Some(ParamsFrom::Deploy),
            parameter_overrides: self.parameter_overrides.clone(),
            env_vars: self.env_vars.clone(),
            allow_remote: self.allow_remote.clone(),
            sqs_endpoint: self.sqs_endpoint.clone(),
            ..project::Arguments::default()
        }
    }
}
