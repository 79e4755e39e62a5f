//! `bench`: performance of the ticket sale and its host on this machine, with the configuration of
//! each measurement.
//!
//! | file | measures |
//! |---|---|
//! | `http` | orders accepted over HTTP by the storefront, one request in a process and many |
//! | `create` | orders stored from a preloaded topic, by order-create under `usher` and by `bare` |
//! | `bare` | the limit: rdkafka to Postgres with nothing in between |
//! | `isolation` | a function beside one that hangs, crashes in a loop or floods its log |
//! | `change` | from the commit of a program change until no reader serves the previous version |
//! | `events` | events from Kafka to an empty function, beside alternatives; latency of one event |
//! | `filling` | a gate that lost its state, filled from Postgres |
//! | `sale` | stored orders: looked up, paid, cancelled, closed |
//! | `delay` | the delay queue: scheduling, draining, lateness |
//! | `throughput` | the rate at which a host handles a topic |
//! | `cpu`, `resources` | CPU seconds, memory and connections of processes, from /proc |
//!
//! Figures of different runs differ by a factor of 1.4 and more on a busy machine: compare within
//! one run.

mod bare;
mod change;
mod cpu;
mod create;
mod delay;
mod environment;
mod events;
mod figures;
mod filling;
mod http;
mod isolation;
mod preload;
mod resources;
mod sale;
mod throughput;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures the ticket sale and its host on this machine.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// Seconds of each of the four HTTP runs; 3 for a short look.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Clients of each HTTP run.
    #[arg(long, default_value_t = 24)]
    clients: usize,
    /// Orders in the preloaded topic.
    #[arg(long, default_value_t = 200_000,
        value_parser = clap::value_parser!(u32).range(20_000..=2_000_000))]
    orders: u32,
    /// Seats of the program whose gate is filled, each an order of its own.
    #[arg(long, default_value_t = 200_000,
        value_parser = clap::value_parser!(u32).range(1_000..=200_000))]
    seats: u32,
    /// Stored orders that are looked up, paid, cancelled and closed.
    #[arg(long, default_value_t = 100_000,
        value_parser = clap::value_parser!(u32).range(50_000..=5_000_000))]
    stored: u32,
    /// Entries of the delay queue.
    #[arg(long, default_value_t = 50_000,
        value_parser = clap::value_parser!(u32).range(1_000..=2_000_000))]
    entries: u32,
    /// Changes of a program, for each number of readers.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    changes: u32,
    /// Events of the no-op function's topic.
    #[arg(long, default_value_t = 2_000_000,
        value_parser = clap::value_parser!(u32).range(100_000..=50_000_000))]
    events: u32,
    /// Events sent one at a time.
    #[arg(long, default_value_t = 500,
        value_parser = clap::value_parser!(u32).range(100..=100_000))]
    singles: u32,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    Http,
    Create,
    Isolation,
    Change,
    Filling,
    Sale,
    Delay,
    Events,
    Latency,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<()> {
    let asked = |what| cli.what == What::All || cli.what == what;
    println!("{}", figures::machine());
    if asked(What::Http) {
        http::run(cli.clients, cli.seconds).await?;
    }
    if asked(What::Create) {
        create::run(cli.orders).await?;
    }
    if asked(What::Isolation) {
        isolation::run(cli.orders).await?;
        events::neighbours(cli.events).await?;
    }
    if asked(What::Change) {
        change::run(cli.changes).await?;
    }
    if asked(What::Filling) {
        filling::run(cli.seats).await?;
    }
    if asked(What::Sale) {
        sale::run(cli.stored).await?;
    }
    if asked(What::Delay) {
        delay::run(cli.entries).await?;
    }
    if asked(What::Events) {
        events::run(cli.events).await?;
    }
    if asked(What::Latency) {
        events::latency(cli.singles).await?;
    }
    Ok(())
}
