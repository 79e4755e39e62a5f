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
//! | `arguments`, `parts` | the command line; the list of the parts |
//! | `runner`, `leftovers` | runs a part; removes what it has left on the servers if it failed |
//! | `figures`, `report` | prints and records figures; renders the page |
//!
//! Figures of different runs differ by a factor of 1.4 and more on a busy machine: compare within
//! one run.

mod application;
mod arguments;
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
mod leftovers;
mod orders_peers;
mod parts;
mod peers;
mod preload;
mod provenance;
mod redis_server;
mod report;
mod reserved;
mod resources;
mod runner;
mod sale;
mod servers;
mod sqs;
mod throughput;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(parts::run(&arguments::Arguments::parse())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
