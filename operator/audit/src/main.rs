//! `ticket-audit`: checks a ticket sale from outside, while it runs or after it.
//!
//! It reads Postgres (the source of truth) and Redis (the gate), and the logs of clients if there
//! are any, compares them by pure checks, and reports each discrepancy under a stable number. It
//! shares no code with the sale, reads raw tables and keys, and writes nothing.
//! docs/reference/audit.md describes checks, logs and forms of the report.
//!
//! Exit code 0: no discrepancy. 1: at least one. 2: something could not be read, so there is no
//! result.

mod check;
mod cli;
mod confirm;
mod database;
mod finding;
mod gate;
mod invariant;
mod keys;
mod log;
mod report;
mod run;
mod servers;
mod tables;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Some(Command::Explain { number }) => cli::explain(number.as_deref()),
        None => run::run(&cli.run).await,
    };
    result.unwrap_or_else(|error| {
        eprintln!("ticket-audit: {error:#}");
        ExitCode::from(2)
    })
}
