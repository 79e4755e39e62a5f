//! Orders accepted over HTTP, by the storefront in both execution models. Each order is reserved in
//! Redis, acknowledged by Kafka and accepted in Redis before its 202.
//!
//! One run measures classic, concurrent, concurrent, classic, so that a machine that changes speed
//! favours neither.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ticket_rush::locations::Servers;
use ticket_rush::status::HostStatus;

use super::model::{FUNCTION, Model};
use super::orders::{buyers, requests};
use super::responses::Responses;
use super::rush::rush;
use crate::cpu::Reading;
use crate::environment::BenchEnvironment;
use crate::figures::{compared, group, heading, note};
use crate::resources::{Connections, ports, pss_bytes};

const WARM_UP: Duration = Duration::from_secs(2);
const ORDER: [Model; 4] = [
    Model::Classic,
    Model::Concurrent,
    Model::Concurrent,
    Model::Classic,
];

/// The sums of a model's runs.
struct Measured {
    runs: f64,
    seconds: f64,
    responses: Responses,
    /// CPU seconds of `usher` and all functions, and of the storefront alone.
    cpu: f64,
    storefront_cpu: f64,
    /// Under load, at the end of each run.
    processes: usize,
    bytes: u64,
    storefront_bytes: u64,
    connections: Connections,
}

impl Measured {
    fn none() -> Result<Self> {
        Ok(Self {
            runs: 0.0,
            seconds: 0.0,
            responses: Responses::none()?,
            cpu: 0.0,
            storefront_cpu: 0.0,
            processes: 0,
            bytes: 0,
            storefront_bytes: 0,
            connections: Connections::default(),
        })
    }

    fn accepted(&self) -> f64 {
        self.responses.accepted() as f64
    }

    fn per_million(&self, seconds: f64) -> f64 {
        seconds / self.accepted() * 1e6
    }

    fn mebibytes(&self, bytes: u64) -> f64 {
        bytes as f64 / self.runs / 1_048_576.0
    }
}

pub(super) async fn run(clients: usize, seconds: u64, quick: bool) -> Result<()> {
    let (mut classic, mut concurrent) = (Measured::none()?, Measured::none()?);
    let order = &ORDER[..if quick { 2 } else { ORDER.len() }];
    for model in order.iter().copied() {
        let sums = match model {
            Model::Classic => &mut classic,
            Model::Concurrent => &mut concurrent,
        };
        measure(model, clients, Duration::from_secs(seconds), sums).await?;
    }
    print(clients, seconds, order.len() / 2, &[&classic, &concurrent]);
    Ok(())
}

async fn measure(model: Model, clients: usize, span: Duration, sums: &mut Measured) -> Result<()> {
    let mut env = BenchEnvironment::set("http").await?;
    env.environment.template = Some(model.write(&env.environment.checkout, &env.folder)?);
    env.environment.parameters.push((
        "StorefrontConcurrency".to_owned(),
        model.capacity(clients).to_string(),
    ));
    let host = env.environment.up().await?;
    let (server, program) = (env.environment.http, env.program(400).await?);
    let orders = requests(server, &program, &buyers(&env)?);
    rush(server, &orders, clients, WARM_UP).await?; // processes start, connections open

    let watch = host.status_client();
    let processes =
        |status: &HostStatus| Reading::of(status.processes_of(FUNCTION).collect::<Vec<_>>());
    let storefront = processes(&watch.status().await?);
    let before = Reading::of_host(&watch).await?;
    let clock = Instant::now();
    let responses = rush(server, &orders, clients, span).await?;
    sums.seconds += clock.elapsed().as_secs_f64();
    sums.cpu += Reading::of_host(&watch).await?.since(&before);
    ensure!(
        responses.accepted() > 0,
        "no order was accepted ({:?}); usher's log: {}",
        responses.refusal,
        env.environment.log.display()
    );
    let status = watch.status().await?;
    sums.storefront_cpu += processes(&status).since(&storefront);
    let own: Vec<u32> = status.processes_of(FUNCTION).collect();
    let all: Vec<u32> = std::iter::once(status.pid)
        .chain(status.processes())
        .collect();
    sums.processes += own.len();
    sums.storefront_bytes += own.iter().filter_map(|pid| pss_bytes(*pid)).sum::<u64>();
    sums.bytes += all.iter().filter_map(|pid| pss_bytes(*pid)).sum::<u64>();
    sums.connections.add(&Connections::of(&own)?);
    sums.responses.add(responses)?;
    sums.runs += 1.0;
    host.stop().await?;
    env.strike().await
}

fn print(clients: usize, seconds: u64, runs: usize, models: &[&Measured; 2]) {
    group(
        "Reserve and publish over HTTP",
        &format!(
            "closed loop: {clients} clients, one order of 2 best seats a request, each after the \
             response to the one before; order-create running beside; \
             {seconds} s a run, {runs} of each model"
        ),
    );
    heading(&["classic", "concurrent"]);
    let row = |name: &str, unit: &str, value: &dyn Fn(&Measured) -> f64| {
        compared(name, &models.map(value), unit);
    };
    row("accepted", "orders/s", &|m| m.accepted() / m.seconds);
    row("latency p50", "ms", &|m| m.responses.milliseconds(0.50));
    row("latency p99", "ms", &|m| m.responses.milliseconds(0.99));
    let cpu = "s per million orders";
    row("CPU of usher and all functions", cpu, &|m| {
        m.per_million(m.cpu)
    });
    row("  of the storefront", cpu, &|m| {
        m.per_million(m.storefront_cpu)
    });
    row("memory of usher and all functions", "MiB", &|m| {
        m.mebibytes(m.bytes)
    });
    row("  of the storefront", "MiB", &|m| {
        m.mebibytes(m.storefront_bytes)
    });
    row("processes of the storefront", "", &|m| {
        m.processes as f64 / m.runs
    });
    let servers = Servers::from_env();
    let connections = |name: &str, addresses: &[&str]| {
        let ports = ports(addresses);
        let value = |m: &Measured| m.connections.to(&ports) as f64 / m.runs;
        row(&format!("  connections to {name}"), "", &value);
    };
    connections("Postgres", &[&servers.database_url]);
    connections(
        "Redis, gate and cache",
        &[&servers.redis_url, &servers.cache_url],
    );
    connections("Kafka", &[&servers.brokers]);
    row("not accepted", "requests", &|m| m.responses.refused as f64);
    for refusal in models
        .iter()
        .filter_map(|model| model.responses.refusal.as_ref())
    {
        note(&format!("the last of those not accepted: {refusal}"));
    }
}
