//! The command line. `--quick` takes the smaller value of each setting that is not given.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the ticket sale and its host on this machine.
#[derive(Parser, Debug)]
#[command(version)]
pub(crate) struct Arguments {
    /// What to measure. `report` only renders the page from recorded runs.
    #[arg(value_enum, default_value = "all")]
    pub what: What,
    /// A short look, within five minutes: smaller values of the settings below, fewer
    /// repetitions, and no `isolation` unless it is named.
    #[arg(long)]
    pub quick: bool,
    /// Writes benchmarks.md and its drawings into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub write: Option<PathBuf>,
    /// File of the record. A run of one part replaces that part in it. `report` takes several;
    /// later ones replace parts of earlier ones.
    #[arg(long, value_name = "FILE")]
    pub record: Vec<PathBuf>,
    /// Seconds of each HTTP run; 2 for a short look.
    #[arg(long, default_value_t = 10, default_value_if("quick", "true", "2"))]
    pub seconds: u64,
    /// Clients of each HTTP run.
    #[arg(long, default_value_t = 24)]
    pub clients: usize,
    /// Orders in the preloaded topic.
    #[arg(long, default_value_t = 200_000, default_value_if("quick", "true", "20000"),
        value_parser = clap::value_parser!(u32).range(20_000..=2_000_000))]
    pub orders: u32,
    /// Seats of the program whose gate is filled, each an order of its own.
    #[arg(long, default_value_t = 200_000, default_value_if("quick", "true", "20000"),
        value_parser = clap::value_parser!(u32).range(1_000..=200_000))]
    pub seats: u32,
    /// Stored orders that are looked up, paid, cancelled and closed.
    #[arg(long, default_value_t = 100_000, default_value_if("quick", "true", "50000"),
        value_parser = clap::value_parser!(u32).range(50_000..=5_000_000))]
    pub stored: u32,
    /// Entries of the delay queue.
    #[arg(long, default_value_t = 50_000, default_value_if("quick", "true", "5000"),
        value_parser = clap::value_parser!(u32).range(1_000..=2_000_000))]
    pub entries: u32,
    /// Changes of a program, for each number of readers.
    #[arg(long, default_value_t = 200, default_value_if("quick", "true", "30"),
        value_parser = clap::value_parser!(u32).range(10..=100_000))]
    pub changes: u32,
    /// Events of the no-op function's topic.
    #[arg(long, default_value_t = 2_000_000, default_value_if("quick", "true", "200000"),
        value_parser = clap::value_parser!(u32).range(100_000..=50_000_000))]
    pub events: u32,
    /// Events sent one at a time.
    #[arg(long, default_value_t = 500, default_value_if("quick", "true", "100"),
        value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub singles: u32,
    /// Messages of the no-op function's queue.
    #[arg(long, default_value_t = 10_000, default_value_if("quick", "true", "2000"),
        value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    pub messages: u32,
}

/// A part of the benchmarks, all of them, or the page alone.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    All,
    Report,
    Http,
    Create,
    Isolation,
    Change,
    Filling,
    Gate,
    Sale,
    Delay,
    Events,
    Latency,
    Topics,
    Sqs,
    Growth,
}

impl What {
    /// The name of the only part to run; `None` for all.
    pub(crate) fn only(self) -> Option<String> {
        let named = self.to_possible_value().filter(|_| self != Self::All);
        named.map(|value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_look_takes_smaller_values_unless_given() {
        let read = |line: &str| Arguments::try_parse_from(line.split(' ')).expect("valid");
        assert_eq!(read("bench").seconds, 10);
        assert_eq!(read("bench http --quick").seconds, 2);
        assert_eq!(read("bench --quick --seconds 7").seconds, 7);
        assert_eq!(read("bench http").what.only().as_deref(), Some("http"));
        assert_eq!(read("bench").what.only(), None);
    }
}
