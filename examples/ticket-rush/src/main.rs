//! `ticket-rush`: the ticket sale shown at work, and the small tools a client of it needs on its own machine.

mod demo;
mod say;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use ticket_rush::host::Environment;
use ticket_rush::keys::Keys;
use ticket_rush::place::{Place, Servers};
use ticket_rush::prepare::prepare;

/// Buyers of the ticket sale, and what they need on one machine.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Make the key set that signs buyers' tokens, if there is none.
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
        /// Who the token is for.
        #[arg(long)]
        sub: String,
        /// What it allows, e.g. programs:write.
        #[arg(long)]
        scope: Option<String>,
        /// For how many minutes.
        #[arg(long, default_value_t = 60)]
        minutes: u64,
    },
    /// Make keys, topics and tables of an environment.
    Prepare {
        /// Environment prefix.
        #[arg(long, default_value = "demo")]
        env: String,
    },
    /// Leave the system running and print requests to try.
    Up {
        /// Environment prefix.
        #[arg(long, default_value = "demo")]
        env: String,
    },
    /// A sale under a rush, narrated and audited.
    Demo(DemoOptions),
}

/// How large the rush is.
#[derive(Args, Debug, Clone)]
struct DemoOptions {
    /// Kill functions and stop Kafka meanwhile.
    #[arg(long)]
    faults: bool,
    /// Buyers.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    buyers: u32,
    /// Seats on sale.
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(200..=100_000))]
    seats: u32,
    /// The same seed gives the same buyers.
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

/// An environment on this machine at the usual addresses.
fn environment(prefix: &str) -> Result<Environment> {
    let place = Place::find()?;
    let data = place.data();
    std::fs::create_dir_all(&data)?;
    Ok(Environment {
        prefix: prefix.to_owned(),
        servers: Servers::from_env(),
        keys: place.keys(),
        http: ([127, 0, 0, 1], 18080).into(),
        control: ([127, 0, 0, 1], 18090).into(),
        parameters: vec![],
        schedules: true,
        state: place.root.join(".aws-sam/usher"),
        log: data.join("usher.log"),
        place,
    })
}
