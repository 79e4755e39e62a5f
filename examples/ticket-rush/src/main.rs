//! `ticket-rush`: a demo of the ticket sale.

mod demo;
mod output;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser};
use ticket_rush::host::Environment;
use ticket_rush::locations::{Checkout, Servers};

/// Buyers of the ticket sale.
#[derive(Parser, Debug)]
#[command(version)]
enum Cli {
    /// Run the system until Ctrl-C and print requests to try.
    Up {
        /// Environment prefix.
        #[arg(long, default_value = "demo")]
        env: String,
    },
    /// Run a sale under load and audit it.
    Demo(DemoOptions),
}

/// Size of the demo.
#[derive(Args, Debug, Clone)]
struct DemoOptions {
    /// Kill functions and stop Kafka during the sale.
    #[arg(long)]
    faults: bool,
    /// Begin on the version of another checkout, whose programs are built (profile local), move to this one during the
    /// sale, and go back.
    #[arg(long, value_name = "CHECKOUT", conflicts_with = "faults")]
    from: Option<PathBuf>,
    /// Number of buyers.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    buyers: u32,
    /// Number of seats on sale.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(200..=100_000))]
    seats: u32,
    /// Seed of the buyers' random choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Cli::parse() {
        Cli::Up { env } => up::run(&env).await,
        Cli::Demo(options) => demo::run(options).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("ticket-rush: {error:#}");
        ExitCode::from(2)
    })
}

/// An environment on this machine, at the default addresses.
fn environment(prefix: &str) -> Result<Environment> {
    let checkout = Checkout::find()?;
    Ok(Environment {
        prefix: prefix.to_owned(),
        servers: Servers::from_env(),
        keys: checkout.data().join("keys"),
        http: ([127, 0, 0, 1], 18080).into(),
        control: ([127, 0, 0, 1], 18090).into(),
        parameters: vec![],
        schedules: true,
        state: checkout.root.join(".aws-sam/usher"),
        log: checkout.data().join("usher.log"),
        checkout,
        template: None,
    })
}
