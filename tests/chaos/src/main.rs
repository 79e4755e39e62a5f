//! `chaos`: a sale under faults, and what an independent checker says about it.
//!
//! Exit code 0: no violation. 1: a violation. 2: something could not be started or read, so there
//! is no result.

mod arguments;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use chaos::report;
use chaos::run::run;
use clap::Parser;
use ticket_rush::shutdown::ShutdownSignal;

use arguments::Cli;

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
    let options = cli.options();
    let began = Instant::now();
    let progress = |text: &str| println!("{:5} s  {text}", began.elapsed().as_secs());
    let mut shutdown = ShutdownSignal::listen()?;
    let run = Box::pin(run(&options, progress));
    let report = shutdown.unless(run).await?;
    report::print(&report, &options.folder);
    Ok(report.passed())
}
