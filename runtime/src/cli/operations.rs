//! Arguments of the commands that look after a running application.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{Build, Source, State};
use crate::project;

/// Which host.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// The host's control address [default: control in usher.toml]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    /// The template; usher.toml is read from its folder. Without it: template.yaml, template.yml or template.json of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// Mapping or function, then SETTING=VALUE ...; without the former, a setting of the host
    #[arg(value_name = "[TARGET] SETTING=VALUE", required = true, num_args = 1..)]
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) host: Running,
}

#[derive(Debug, Args)]
pub(super) struct Switched {
    /// Logical id of the mapping
    #[arg(value_name = "SOURCE")]
    pub(super) source: String,
    /// Only this partition of a Kafka mapping: its number, or TOPIC-NUMBER where it reads several topics
    #[arg(long, value_name = "N")]
    pub(super) partition: Option<String>,
    #[command(flatten)]
    pub(super) host: Running,
}

#[derive(Debug, Args)]
pub(super) struct Offsets {
    #[command(subcommand)]
    pub(super) verb: OffsetsVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum OffsetsVerb {
    /// Committed offset, start, end and lag of each partition
    List(ListOffsets),
    /// Pass the next record of a partition; it goes to the mapping's destination, if there is one
    Skip(SkipOffset),
    /// Read partitions from elsewhere on
    Seek(SeekOffsets),
}

#[derive(Debug, Args)]
pub(super) struct ListOffsets {
    /// Logical id of a mapping [default: all]
    #[arg(value_name = "MAPPING")]
    pub(super) mapping: Option<String>,
    #[command(flatten)]
    pub(super) source: Source,
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
    /// Do it; without this only what would happen is shown
    #[arg(long)]
    pub(super) apply: bool,
    /// The host's control address [default: control in usher.toml]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    #[command(flatten)]
    pub(super) source: Source,
}

#[derive(Debug, Args)]
pub(super) struct SeekOffsets {
    /// Logical id of the mapping
    #[arg(value_name = "MAPPING")]
    pub(super) mapping: String,
    /// Where to: beginning, end, an offset, or a time such as 2026-01-31T09:00:00Z
    #[arg(long, value_name = "PLACE")]
    pub(super) to: String,
    /// Partition: its number, or TOPIC-NUMBER where the mapping reads several topics; may be repeated [default: all]
    #[arg(long, value_name = "N")]
    pub(super) partition: Vec<String>,
    /// Do it; without this only what would happen is shown
    #[arg(long)]
    pub(super) apply: bool,
    /// The host's control address [default: control in usher.toml]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) control: Option<String>,
    #[command(flatten)]
    pub(super) source: Source,
}

#[derive(Debug, Args)]
pub(super) struct Parked {
    #[command(subcommand)]
    pub(super) verb: ParkedVerb,
}

#[derive(Debug, Subcommand)]
pub(super) enum ParkedVerb {
    /// Where dead letters go, and how many are there
    List(Source),
    /// The first letters of a place; they stay
    Show(Place),
    /// Bring letters back to their source; each is deleted only after the source has taken it
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(super) struct Place {
    /// Queue, topic or stream, as `usher parked list` names it
    #[arg(value_name = "PLACE")]
    pub(super) name: String,
    /// Letters at most
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) limit: u16,
    #[command(flatten)]
    pub(super) source: Source,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    #[command(flatten)]
    pub(super) place: Place,
    /// Say what would be brought back, and where; bring nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) state: State,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    pub(super) source: Source,
    #[command(flatten)]
    pub(super) build: Build,
}

#[derive(Debug, Args)]
pub(super) struct Bridge {
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
    /// Consumer group, which knows how far it is [default: usher-bridge-QUEUE]
    #[arg(long, value_name = "NAME")]
    pub(super) group: Option<String>,
    /// Where SQS answers [default: usher.toml's [endpoints] sqs]
    #[arg(long, value_name = "URL")]
    pub(super) sqs_endpoint: Option<String>,
    /// A host outside this machine that may be talked to; may be repeated
    #[arg(long, value_name = "HOST")]
    pub(super) allow_remote: Vec<String>,
    /// The template; usher.toml is read from its folder. Without it: template.yaml, template.yml or template.json of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
}
