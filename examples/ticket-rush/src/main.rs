//! `ticket-rush`: a demo of the ticket sale, and tools for clients on the same machine.

mod demo;
mod output;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use ticket_rush::host::Environment;
use ticket_rush::keys::Keys;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::prepare::prepare;

/// Buyers of the ticket sale, and their tools.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Create the key set that signs buyers' tokens, if it is missing.
    Keys {
        /// Folder of private.pem and jwks.json.
        #[arg(long = "dir", default_value = ".data/keys")]
        keys: PathBuf,
    },
    /// Print a token for a buyer.
    Token {
        /// Folder of the key set.
        #[arg(long, default_value = ".data/keys")]
        keys: PathBuf,
        /// Subject of the token.
        #[arg(long)]
        sub: String,
        /// Scope of the token, such as programs:write.
        #[arg(long)]
        scope: Option<String>,
        /// Lifetime in minutes.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Create keys, topics and tables of an environment.
    Prepare {
        /// Environment prefix.
        #[arg(long, default_value = "demo")]
        env: String,
    },
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
    match run(Cli::parse().verb).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ticket-rush: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(verb: Verb) -> Result<ExitCode> {
    match verb {
        Verb::Keys { keys } => {
            Keys::at(&keys)?;
            println!("{}", keys.join("jwks.json").display());
        }
        Verb::Token {
            keys,
            sub,
            scope,
            minutes,
        } => {
            println!(
                "{}",
                Keys::at(&keys)?.token(&sub, scope.as_deref(), Duration::from_mins(minutes))?
            );
        }
        Verb::Prepare { env } => {
            prepare(&environment(&env)?, |step| println!("{step}")).await?;
        }
        Verb::Up { env } => up::run(environment(&env)?).await?,
        Verb::Demo(options) => return demo::run(options).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// An environment on this machine, at the default addresses.
fn environment(prefix: &str) -> Result<Environment> {
    let checkout = Checkout::find()?;
    let data = checkout.data();
    std::fs::create_dir_all(&data)?;
    Ok(Environment {
        prefix: prefix.to_owned(),
        servers: Servers::from_env(),
        keys: checkout.keys(),
        http: ([127, 0, 0, 1], 18080).into(),
        control: ([127, 0, 0, 1], 18090).into(),
        parameters: vec![],
        schedules: true,
        state: checkout.root.join(".aws-sam/usher"),
        log: data.join("usher.log"),
        checkout,
    })
}
