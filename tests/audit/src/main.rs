//! The audit: judges a run of the ticket sale from outside.
//!
//! What passes through: client logs (what buyers were told), Postgres (the truth) and Redis (the
//! gate) are read whole, then pure checks compare them, then one table says what was looked at and
//! what is wrong. It shares no code with the system, reads raw tables and keys, and writes nothing.
//! Format of the logs and meaning of each check: docs/reference/audit.md.
//!
//! Exit code 0: all checks pass. 1: something is wrong. 2: something could not be read, so nothing
//! is said.

mod check;
mod gate;
mod log;
mod report;
mod truth;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use check::{Bounds, World};

/// Judges a run of the ticket sale from client logs, Postgres and Redis.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    /// Environment prefix of the run.
    #[arg(long)]
    env: String,
    /// Client logs: a folder of *.jsonl files, or one file.
    #[arg(long)]
    logs: PathBuf,
    /// Postgres.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "postgres://usher:usher@127.0.0.1:15432/usher"
    )]
    database_url: String,
    /// Redis gate.
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:16379")]
    redis_url: String,
    /// The run is over: every order must be final, and nothing may be left over. Without it the
    /// system may be running.
    #[arg(long = "final")]
    over: bool,
    /// Messages that were parked on purpose.
    #[arg(long, default_value_t = 0)]
    parked: usize,
    /// Accept orders that were accepted and rejected later (possible only after Redis lost data).
    #[arg(long)]
    allow_rejected: bool,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match look(&cli).await {
        Ok(world) => {
            let checks = check::all(&world);
            let bad = checks.iter().any(|c| !c.violations.is_empty());
            if cli.json {
                report::json(&checks);
            } else {
                report::table(&checks);
            }
            if bad {
                ExitCode::from(1)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(error) => {
            eprintln!("audit: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn look(cli: &Cli) -> Result<World> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        cli.env.starts_with(|c: char| c.is_ascii_lowercase()) && cli.env.chars().all(letters),
        "--env {:?} is no environment prefix: lower-case letters, digits and '-', a letter first",
        cli.env
    );
    let log = log::read(&cli.logs)?;
    let truth = truth::read(&cli.database_url, &cli.env).await?;
    let gate = gate::read(&cli.redis_url, &cli.env, &truth).await?;
    let bounds = Bounds {
        over: cli.over,
        parked: cli.parked,
        allow_rejected: cli.allow_rejected,
    };
    Ok(World {
        log,
        truth,
        gate,
        bounds,
    })
}
