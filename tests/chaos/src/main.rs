//! `chaos`: a sale under faults, and what an independent checker says about it.
//!
//! Exit code 0: no violation. 1: a violation. 2: something could not be started or read, so there
//! is no result.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use chaos::kind::Kind;
use chaos::report;
use chaos::run::{Options, run};
use clap::Parser;

/// Runs a ticket sale under a schedule of faults, on servers of its own, and checks it.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
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

#[tokio::main]
async fn main() -> ExitCode {
    match chaos(Cli::parse()).await {
        Ok(passed) => ExitCode::from(u8::from(!passed)),
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn chaos(cli: Cli) -> Result<bool> {
    let chosen = |kind: &Kind| {
        let name = kind.to_string();
        cli.only.is_empty() || cli.only.iter().any(|part| name.contains(part.as_str()))
    };
    let only = match cli.only.as_slice() {
        [] => String::new(),
        only => format!(" --only '{}'", only.join(",")),
    };
    let options = Options {
        seed: cli.seed,
        duration: Duration::from_secs(cli.seconds),
        rate: cli.rate,
        hosts: cli.hosts,
        kinds: Kind::all().into_iter().filter(chosen).collect(),
        command: format!(
            "chaos --seed {} --seconds {} --rate {} --hosts {}{only}",
            cli.seed, cli.seconds, cli.rate, cli.hosts
        ),
        folder: cli.folder.join(format!("seed-{}", cli.seed)),
    };
    let report = Box::pin(run(&options, |text| println!("  {text}"))).await?;
    report::print(&report, &options.folder);
    Ok(report.passed())
}
