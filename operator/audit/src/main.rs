//! The audit: checks a run of the ticket sale from outside.
//!
//! It reads the client logs, Postgres (the source of truth) and Redis (the gate), compares them by
//! pure checks, and prints one table. It shares no code with the system, reads raw tables and keys,
//! and writes nothing. docs/reference/audit.md describes the logs and the checks.
//!
//! Exit code 0: all checks pass. 1: a check failed. 2: something could not be read, so there is no
//! result.

mod check;
mod gate;
mod log;
mod report;
mod servers;
mod tables;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;

use check::{Bounds, Evidence};
use servers::Login;

/// Checks a run of the ticket sale by client logs, Postgres and Redis.
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
    /// Its user, if the URL has none.
    #[arg(long, env = "DATABASE_USER", requires = "database_password")]
    database_user: Option<String>,
    /// The user's password, as it is.
    #[arg(long, env = "DATABASE_PASSWORD", hide_env_values = true)]
    database_password: Option<String>,
    /// Redis gate.
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1:16379")]
    redis_url: String,
    /// Its user, if the URL has none.
    #[arg(long, env = "REDIS_USER", requires = "redis_password")]
    redis_user: Option<String>,
    /// The user's password, as it is.
    #[arg(long, env = "REDIS_PASSWORD", hide_env_values = true)]
    redis_password: Option<String>,
    /// The authority of both servers' certificates: a file of PEM.
    #[arg(long, env = "TLS_CA_FILE")]
    tls_ca_file: Option<PathBuf>,
    /// The run is over: every order must be final and nothing may remain. Without this flag the
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
    match read(&cli).await {
        Ok(evidence) => {
            let checks = check::all(&evidence);
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

async fn read(cli: &Cli) -> Result<Evidence> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        cli.env.starts_with(|c: char| c.is_ascii_lowercase()) && cli.env.chars().all(allowed),
        "--env {:?} is no environment prefix: lower-case letters, digits and '-', a letter first",
        cli.env
    );
    let log = log::read(&cli.logs)?;
    let authority = cli
        .tls_ca_file
        .as_deref()
        .map(servers::authority)
        .transpose()?;
    let login = Login::of(
        cli.database_user.as_deref(),
        cli.database_password.as_deref(),
    );
    let database = servers::database(&cli.database_url, login, authority.as_deref())?;
    let tables = tables::read(database, &cli.env).await?;
    let login = Login::of(cli.redis_user.as_deref(), cli.redis_password.as_deref());
    let redis = servers::redis(&cli.redis_url, login, authority.as_deref())?;
    let gate = gate::read(redis, &cli.env, &tables).await?;
    let bounds = Bounds {
        over: cli.over,
        parked: cli.parked,
        allow_rejected: cli.allow_rejected,
    };
    Ok(Evidence {
        log,
        tables,
        gate,
        bounds,
    })
}
