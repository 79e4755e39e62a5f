//! Arguments, and where the report goes.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::invariant;
use crate::report::{self, Report};
use crate::servers::Servers;

/// Checks a ticket sale by `PostgreSQL`, Redis and, if there are any, the logs of clients.
#[derive(Parser, Debug)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// What else the program does.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Explains a check: what is compared, why it matters, what breaks it and how it is repaired.
    Explain {
        /// Its number, such as S5; without one, all are listed.
        number: Option<String>,
    },
}

/// Options of a run.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Environment prefix.
    #[arg(long, env = "ENV_PREFIX")]
    pub(crate) env: Option<String>,
    #[command(flatten)]
    pub(crate) servers: Servers,
    /// Client logs: a folder of *.jsonl files, or one file. Without them, checks that need them do
    /// not run.
    #[arg(long)]
    pub(crate) logs: Option<PathBuf>,
    /// The sale is over and nothing writes: every order must be final and nothing may remain.
    #[arg(long = "final")]
    pub(crate) over: bool,
    /// Seconds until the second pass over a running system, if the first one finds something. It
    /// exceeds the interval of the sweep, which repairs what a function left.
    #[arg(long, default_value_t = 75, value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(crate) pause: u64,
    /// Messages that were parked on purpose.
    #[arg(long, default_value_t = 0)]
    pub(crate) parked: usize,
    /// Accept orders that were accepted and rejected later (possible only after Redis lost data).
    #[arg(long)]
    pub(crate) allow_rejected: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the counts as Prometheus metrics to this file, replaced as a whole; - prints them
    /// instead of the report.
    #[arg(long, value_name = "FILE")]
    pub(crate) metrics: Option<PathBuf>,
}

impl Run {
    /// The environment prefix, checked.
    pub(crate) fn env(&self) -> Result<&str> {
        let Some(env) = self.env.as_deref() else {
            bail!("--env is missing: the environment's prefix (EnvPrefix of the template)");
        };
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !env.starts_with(|c: char| c.is_ascii_lowercase()) || !env.chars().all(allowed) {
            bail!(
                "--env {env:?} is no environment prefix: lower-case letters, digits and '-', a \
                 letter first"
            );
        }
        Ok(env)
    }

    /// Prints the report, and writes the metrics.
    pub(crate) fn publish(&self, report: &Report) -> Result<ExitCode> {
        let metrics = self.metrics.as_deref();
        if let Some(file) = metrics.filter(|file| *file != Path::new("-")) {
            replace(file, &report::metrics(report))
                .with_context(|| format!("--metrics {} cannot be written", file.display()))?;
        }
        if metrics == Some(Path::new("-")) {
            print!("{}", report::metrics(report));
        } else if self.json {
            println!("{}", report::json(report));
        } else {
            let colour = std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
            print!("{}", report::text(report, colour));
        }
        Ok(if report.is_clean() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(1)
        })
    }
}

/// Replaces a file as a whole: a collector never reads a part.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut part = file.as_os_str().to_owned();
    part.push(format!(".{}", std::process::id()));
    std::fs::write(&part, text)?;
    std::fs::rename(&part, file)
}

/// Prints the explanation of a check, or the list of all.
pub(crate) fn explain(number: Option<&str>) -> Result<ExitCode> {
    match number {
        None => {
            for invariant in invariant::all() {
                println!("{:<3} {}", invariant.number, invariant.promise);
            }
        }
        Some(number) => {
            let Some(invariant) = invariant::find(number) else {
                bail!("no check has the number {number:?}; ticket-audit explain lists all");
            };
            print!("{}", report::explain(invariant));
        }
    }
    Ok(ExitCode::SUCCESS)
}
