//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use chaos::kind::Kind;
use chaos::run::Options;
use clap::Parser;

/// Runs a ticket sale under a schedule of faults, on servers of its own, and checks it.
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Cli {
    /// Decides buyers and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long buyers arrive, seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,
    /// Buyers that arrive in a second. Each orders one to four times.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Hosts, which share the work.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    hosts: u32,
    /// Only kinds of faults whose names contain one of these texts, such as `gate` or `killed`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Folder for the report and the logs.
    #[arg(long, default_value = ".data/chaos")]
    folder: PathBuf,
}

impl Cli {
    /// What to run.
    pub(crate) fn options(self) -> Options {
        let chosen = |kind: &Kind| {
            let name = kind.to_string();
            self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
        };
        let only = match self.only.as_slice() {
            [] => String::new(),
            only => format!(" --only '{}'", only.join(",")),
        };
        Options {
            seed: self.seed,
            duration: Duration::from_secs(self.seconds),
            rate: self.rate,
            hosts: self.hosts,
            kinds: Kind::all().into_iter().filter(chosen).collect(),
            command: format!(
                "chaos --seed {} --seconds {} --rate {} --hosts {}{only}",
                self.seed, self.seconds, self.rate, self.hosts
            ),
            folder: self.folder.join(format!("seed-{}", self.seed)),
        }
    }
}
