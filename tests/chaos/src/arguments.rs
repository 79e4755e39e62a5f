//! The command line.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chaos::kind::Kind;
use chaos::run::Options;
use chaos::schedule::Plan;
use chaos::trial::{TRIALS, trial};
use clap::Parser;
use clap::builder::PossibleValuesParser;

/// Runs a ticket sale under a schedule of faults, on servers of its own, and checks it.
#[derive(Parser, Debug)]
#[command(version, args_override_self = true)]
pub(crate) struct Cli {
    /// Decides buyers and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long buyers arrive, seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    seconds: u64,
    /// Buyers that arrive in a second. Each orders one to four times.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// Hosts, which share the work.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8))]
    hosts: u32,
    /// Only kinds of faults whose names contain one of these texts, such as `gate` or `killed`.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The faults of a trial instead of those of the seed. The trial also decides how long buyers
    /// arrive.
    #[arg(long, conflicts_with_all = ["only", "seconds"], value_parser = PossibleValuesParser::new(TRIALS))]
    trial: Option<String>,
    /// Folder for the report and the logs.
    #[arg(long, default_value = ".data/chaos")]
    folder: PathBuf,
}

impl Cli {
    /// What to run.
    pub(crate) fn options(self) -> Options {
        let (plan, name, chosen) = match &self.trial {
            Some(name) => (
                trial(name, true).expect("the names are checked"),
                name.clone(),
                format!(" --trial {name}"),
            ),
            None => (
                Plan::drawn(self.seed, Duration::from_secs(self.seconds), &self.kinds()),
                format!("seed-{}", self.seed),
                self.chosen(),
            ),
        };
        Options {
            seed: self.seed,
            rate: self.rate,
            hosts: self.hosts,
            plan,
            command: format!(
                "scripts/chaos {} {} --rate {} --hosts {}{chosen}",
                (self.seconds / 60).max(1),
                self.seed,
                self.rate,
                self.hosts
            ),
            folder: new_folder(&self.folder, &name),
        }
    }

    fn kinds(&self) -> Vec<Kind> {
        let is_chosen = |kind: &Kind| {
            let name = kind.to_string();
            self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
        };
        Kind::all().into_iter().filter(is_chosen).collect()
    }

    /// The arguments behind minutes and seed that choose the same faults.
    fn chosen(&self) -> String {
        let only = match self.only.as_slice() {
            [] => String::new(),
            only => format!(" --only '{}'", only.join(",")),
        };
        match self.seconds % 60 {
            0 => only,
            _ => format!(" --seconds {}{only}", self.seconds),
        }
    }
}

/// The first of `NAME`, `NAME-run-2`, ... that does not exist: each run has its own logs.
fn new_folder(parent: &Path, name: &str) -> PathBuf {
    let names = std::iter::once(name.to_owned()).chain((2..).map(|n| format!("{name}-run-{n}")));
    let mut folders = names.map(|name| parent.join(name));
    folders
        .find(|folder| !folder.exists())
        .expect("the numbers do not end")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_repeated_run_has_a_folder_of_its_own() {
        let parent = TempDir::new().expect("a folder");
        for expected in ["seed-1", "seed-1-run-2", "seed-1-run-3"] {
            let folder = new_folder(parent.path(), "seed-1");
            assert_eq!(folder, parent.path().join(expected));
            std::fs::create_dir(folder).expect("it is new");
        }
    }
}
