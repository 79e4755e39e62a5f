//! `bench`: performance of the ticket sale and its host on this machine, with the configuration of
//! each measurement.
//!
//! | file | measures |
//! |---|---|
//! | `http` | orders accepted over HTTP: maximum rate, latency at constant rates, cost of an order |
//! | `create` | orders stored from a preloaded topic, by order-create under `usher` and by `bare` |
//! | `bare` | the limit: rdkafka to Postgres with nothing in between |
//! | `orders_peers` | the sale in Spring: the same orders stored, the same requests accepted |
//! | `isolation` | a function beside one that hangs, crashes in a loop or floods its log |
//! | `change` | from the commit of a program change until no reader serves the previous version |
//! | `events` | events from Kafka to an empty function, beside alternatives; latency of one event |
//! | `sqs` | messages of a queue to an empty function, beside a bare loop |
//! | `filling` | a gate that lost its state, filled from Postgres |
//! | `gate` | the scripts of the gate, by the figures of a Redis of its own |
//! | `sale` | stored orders: looked up, paid, cancelled, closed |
//! | `delay` | the delay queue and its peers: scheduling, draining, lateness, memory |
//! | `growth` | cost beside more and more pending entries and stored orders |
//! | `throughput` | the rate at which a host handles a topic |
//! | `peers`, `redis_server` | programs of `bench/peers`; a Redis server of a measurement's own |
//! | `cpu`, `resources` | CPU seconds, memory and connections of processes, from /proc |
//! | `servers`, `counters` | processes and counters of the servers |
//! | `parts`, `figures`, `report` | runs the parts; prints and records figures; renders the page |
//!
//! Figures of different runs differ by a factor of 1.4 and more on a busy machine: compare within
//! one run.

mod application;
mod bare;
mod change;
mod counters;
mod cpu;
mod create;
mod delay;
mod environment;
mod events;
mod figures;
mod filling;
mod gate;
mod growth;
mod http;
mod isolation;
mod orders_peers;
mod parts;
mod peers;
mod preload;
mod provenance;
mod redis_server;
mod report;
mod reserved;
mod resources;
mod sale;
mod servers;
mod sqs;
mod throughput;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::builder::ArgPredicate::IsPresent;
use clap::{Parser, ValueEnum};

use parts::Parts;

/// Measures the ticket sale and its host on this machine.
#[derive(Parser, Debug)]
#[command(version)]
struct Cli {
    /// What to measure. `report` only renders the page from recorded runs.
    #[arg(value_enum, default_value = "all")]
    what: What,
    /// A short look at everything, within five minutes: smaller values of the settings below.
    #[arg(long)]
    quick: bool,
    /// Writes benchmarks.md and its drawings into this folder.
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// File of the record. A run of one part replaces that part in it. `report` takes several;
    /// later ones replace parts of earlier ones.
    #[arg(long, value_name = "FILE")]
    record: Vec<PathBuf>,
    /// Seconds of each HTTP run; 3 for a short look.
    #[arg(long, default_value_t = 10, default_value_if("quick", IsPresent, "3"))]
    seconds: u64,
    /// Clients of each HTTP run.
    #[arg(long, default_value_t = 24)]
    clients: usize,
    /// Orders in the preloaded topic.
    #[arg(long, default_value_t = 200_000, default_value_if("quick", IsPresent, "40000"),
        value_parser = clap::value_parser!(u32).range(20_000..=2_000_000))]
    orders: u32,
    /// Seats of the program whose gate is filled, each an order of its own.
    #[arg(long, default_value_t = 200_000, default_value_if("quick", IsPresent, "20000"),
        value_parser = clap::value_parser!(u32).range(1_000..=200_000))]
    seats: u32,
    /// Stored orders that are looked up, paid, cancelled and closed.
    #[arg(long, default_value_t = 100_000, default_value_if("quick", IsPresent, "50000"),
        value_parser = clap::value_parser!(u32).range(50_000..=5_000_000))]
    stored: u32,
    /// Entries of the delay queue.
    #[arg(long, default_value_t = 50_000, default_value_if("quick", IsPresent, "20000"),
        value_parser = clap::value_parser!(u32).range(1_000..=2_000_000))]
    entries: u32,
    /// Changes of a program, for each number of readers.
    #[arg(long, default_value_t = 200, default_value_if("quick", IsPresent, "30"),
        value_parser = clap::value_parser!(u32).range(10..=100_000))]
    changes: u32,
    /// Events of the no-op function's topic.
    #[arg(long, default_value_t = 2_000_000, default_value_if("quick", IsPresent, "300000"),
        value_parser = clap::value_parser!(u32).range(100_000..=50_000_000))]
    events: u32,
    /// Events sent one at a time.
    #[arg(long, default_value_t = 500, default_value_if("quick", IsPresent, "200"),
        value_parser = clap::value_parser!(u32).range(100..=100_000))]
    singles: u32,
    /// Messages of the no-op function's queue.
    #[arg(long, default_value_t = 10_000, default_value_if("quick", IsPresent, "3000"),
        value_parser = clap::value_parser!(u32).range(1_000..=1_000_000))]
    messages: u32,
}

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    All,
    Report,
    Http,
    Create,
    Isolation,
    Change,
    Filling,
    Gate,
    Sale,
    Delay,
    Events,
    Latency,
    Topics,
    Sqs,
    Growth,
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
    let mut files = cli.record.clone();
    if files.is_empty() {
        files.push(parts::default_file()?);
    }
    if cli.what == What::Report {
        let docs = cli.write.clone().unwrap_or_else(|| "docs".into());
        return parts::render(&files, &docs);
    }
    let only = cli
        .what
        .to_possible_value()
        .filter(|_| cli.what != What::All);
    let only = only.map(|what| what.get_name().to_owned());
    let mut parts = Parts::begin(only, files.swap_remove(0));
    parts
        .run("http", http::run(cli.clients, cli.seconds, cli.quick))
        .await;
    parts.run("create", create::run(cli.orders)).await;
    let isolation = async {
        isolation::run(cli.orders).await?;
        if cli.quick {
            return Ok(()); // four runs of the event source beside a neighbour take a minute
        }
        events::neighbours(cli.events).await
    };
    parts.run("isolation", isolation).await;
    parts.run("change", change::run(cli.changes)).await;
    parts.run("filling", filling::run(cli.seats)).await;
    parts.run("gate", gate::run()).await;
    parts.run("sale", sale::run(cli.stored)).await;
    parts.run("delay", delay::run(cli.entries, cli.quick)).await;
    parts.run("events", events::run(cli.events)).await;
    parts.run("latency", events::latency(cli.singles)).await;
    parts.run("topics", events::topics(cli.events / 4)).await;
    parts.run("sqs", sqs::run(cli.messages)).await;
    parts.run("growth", growth::run(cli.quick)).await;
    parts.finish(cli.write.as_deref())
}
