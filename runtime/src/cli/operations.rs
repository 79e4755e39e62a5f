//! Arguments of the commands that operate a running application.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{ApplicationArguments, BuildArguments, StateArguments};
use sam_template::project;

/// The running host.
#[derive(Debug, Args)]
pub(super) struct HostArguments {
    /// The host's control address [default: that of the running host, else control in usher.toml]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// The template; usher.toml is read from its folder. Without it: template.yaml, template.yml or
    /// template.json of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
    #[command(flatten)]
    pub(super) state: StateArguments,
}

#[derive(Debug, Args)]
pub(super) struct SetArguments {
    /// Mapping or function, then SETTING=VALUE ...; without the former, a setting of the host
    #[arg(value_name = "[TARGET] SETTING=VALUE", required = true, num_args = 1..)]
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) host: HostArguments,
}

#[derive(Debug, Args)]
pub(super) struct PauseArguments {
    /// Logical id of the mapping
    #[arg(value_name = "SOURCE")]
    pub(super) source: String,
    /// Only this partition of a Kafka mapping: its number, or TOPIC-NUMBER if it reads several
    /// topics
    #[arg(long, value_name = "N")]
    pub(super) partition: Option<String>,
    #[command(flatten)]
    pub(super) host: HostArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum OffsetsCommand {
    /// Committed offset, start, end and lag of each partition
    List(ListOffsets),
    /// Skip the next record of a partition; it is sent to the mapping's destination, if there is
    /// one
    Skip(SkipOffset),
    /// Read partitions from another position
    Seek(SeekOffsets),
}

#[derive(Debug, Args)]
pub(super) struct ListOffsets {
    /// Logical id of a mapping [default: all]
    #[arg(value_name = "MAPPING")]
    pub(super) mapping: Option<String>,
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
}

#[derive(Debug, Args)]
pub(super) struct SkipOffset {
    /// Logical id of the mapping
    #[arg(value_name = "MAPPING")]
    pub(super) mapping: String,
    /// Partition: its number, or TOPIC-NUMBER where the mapping reads several topics
    #[arg(long, value_name = "N")]
    pub(super) partition: String,
    /// Offset of the record, which has to be the next one
    #[arg(long, value_name = "OFFSET")]
    pub(super) offset: i64,
    /// Apply the change; without this it is only shown
    #[arg(long)]
    pub(super) apply: bool,
    /// The host's control address [default: that of the running host, else control in usher.toml]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
}

#[derive(Debug, Args)]
pub(super) struct SeekOffsets {
    /// Logical id of the mapping
    #[arg(value_name = "MAPPING")]
    pub(super) mapping: String,
    /// New position: beginning, end, an offset, or a time such as 2026-01-31T09:00:00Z
    #[arg(long, value_name = "PLACE")]
    pub(super) to: String,
    /// Partition: its number, or TOPIC-NUMBER if the mapping reads several topics; may be repeated
    /// [default: all]
    #[arg(long, value_name = "N")]
    pub(super) partition: Vec<String>,
    /// Apply the change; without this it is only shown
    #[arg(long)]
    pub(super) apply: bool,
    /// The host's control address [default: that of the running host, else control in usher.toml]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum ParkedCommand {
    /// Queues, topics and streams for dead letters, with their counts
    List(ApplicationArguments),
    /// Show the first dead letters; they stay
    Show(PeekArguments),
    /// Send dead letters back to their source; each is deleted only after the source has accepted
    /// it
    Replay(ReplayArguments),
}

#[derive(Debug, Args)]
pub(super) struct PeekArguments {
    /// Queue, topic or stream, as `usher parked list` names it
    #[arg(value_name = "PLACE")]
    pub(super) name: String,
    /// Maximum number of dead letters
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) limit: u16,
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    #[command(flatten)]
    pub(super) place: PeekArguments,
    /// Only show what would be sent, and where
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) state: StateArguments,
}

#[derive(Debug, Args)]
pub(super) struct DoctorArguments {
    #[command(flatten)]
    pub(super) source: ApplicationArguments,
    #[command(flatten)]
    pub(super) build: BuildArguments,
}

#[derive(Debug, Args)]
pub(super) struct BridgeArguments {
    /// Kind of the source: kafka
    #[arg(long, value_name = "KIND")]
    pub(super) from: String,
    /// Kind of the target: sqs
    #[arg(long, value_name = "KIND")]
    pub(super) to: String,
    /// Brokers of the topic, `host:port,...`
    #[arg(long, value_name = "SERVERS")]
    pub(super) servers: String,
    /// Topic to copy
    #[arg(long, value_name = "TOPIC")]
    pub(super) topic: String,
    /// Name of the queue; of a FIFO queue the record's key is the message group
    #[arg(long, value_name = "QUEUE")]
    pub(super) queue: String,
    /// Consumer group, which stores the position [default: usher-bridge-QUEUE]
    #[arg(long, value_name = "NAME")]
    pub(super) group: Option<String>,
    /// URL of SQS [default: usher.toml's [endpoints] sqs]
    #[arg(long, value_name = "URL")]
    pub(super) sqs_endpoint: Option<String>,
    /// Another machine that may be contacted; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) allow_remote: Vec<String>,
    /// The template; usher.toml is read from its folder. Without it: template.yaml, template.yml or
    /// template.json of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
}
