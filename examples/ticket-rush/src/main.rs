//! `ticket-rush`: a demo of the ticket sale.

mod demo;
mod output;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, ValueEnum};
use ticket_rush::application;
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

/// Faults during the sale.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Faults {
    /// Functions are killed while they handle events, and Kafka is stopped.
    Kills,
    /// The primaries of the gate and of the database are killed, and their replicas take over.
    Failover,
}

/// Size of the demo.
#[derive(Args, Debug, Clone)]
struct DemoOptions {
    /// Faults during the sale: `kills` of functions while Kafka stops, or a `failover` of the gate and
    /// of the database.
    #[arg(long, num_args = 0..=1, default_missing_value = "kills")]
    faults: Option<Faults>,
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
        Cli::Demo(options) => Box::pin(demo::run(options)).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("ticket-rush: {error:#}");
        ExitCode::from(2)
    })
}

/// An environment on this machine, at the default addresses.
fn environment(prefix: &str) -> Result<Environment> {
    let checkout = Checkout::find()?;
    let servers = Servers::from_env();
    let own = checkout.server_data().join("application");
    Ok(Environment {
        template: application::with_logins(&checkout, &own, &servers)?,
        prefix: prefix.to_owned(),
        servers,
        keys: checkout.data().join("keys"),
        http: ([127, 0, 0, 1], 18080).into(),
        control: ([127, 0, 0, 1], 18090).into(),
        parameters: vec![],
        schedules: true,
        state: checkout.root.join(".aws-sam/usher"),
        log: checkout.data().join("usher.log"),
        checkout,
    })
}
