//! `ticket-mend`: makes Redis agree with Postgres where `ticket-audit` found that it does not.
//!
//! It uses the steps of the functions: a row is settled by `reconcile`, a chunk of a seat map is
//! compared as the sweep of timeout-closer does, and an order without a row gets a timeout entry or
//! a fence by the rule of timeout-closer. So no seat is freed without a row or a fence. Postgres is
//! never repaired, but for that fence: money, and a seat of two live orders, are for a person.
//!
//! Without `--apply` it reads and prints what it would repair. With it, it repairs, reads again and
//! prints what is mended and what remains. Repeated, it finds nothing to do.
//!
//! Exit code 0: nothing remains, or a dry run. 1: something remains, or is for a person. 2: nothing
//! could be decided, since something could not be read.

mod apply;
mod cli;
mod inspect;
mod plan;
mod report;
mod show;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    run(&cli).await.unwrap_or_else(|error| {
        eprintln!("ticket-mend: {error:#}");
        ExitCode::from(2)
    })
}

async fn run(cli: &cli::Cli) -> anyhow::Result<ExitCode> {
    let request = cli.request()?;
    let servers = cli.open().await?;
    let found = inspect::inspect(&servers, &request.targets).await?;
    let refused = request.refused;
    if !cli.apply {
        show::dry_run(&found, &refused);
        let person = found.refused.len() + refused.len();
        return Ok(ExitCode::from(u8::from(person > 0)));
    }
    let failures = apply::apply(&servers, &found.planned).await;
    let after = inspect::inspect(&servers, &request.targets).await?;
    let remains = show::applied(&found, &after, &refused, &failures);
    Ok(ExitCode::from(u8::from(remains)))
}
