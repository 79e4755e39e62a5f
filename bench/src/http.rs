//! Orders accepted over HTTP: each is reserved in Redis, acknowledged by Kafka and accepted in
//! Redis before its 202.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use ticket_rush::api::{Buyer, SeatSelection};
use tokio::task::JoinSet;

use crate::cpu::Reading;
use crate::environment::BenchEnvironment;
use crate::figures::{figure, group};

/// Buyers in rotation: reserve sums up what a buyer holds, so one buyer must not hold thousands of
/// tickets.
const BUYERS: usize = 500;
const WARM_UP: Duration = Duration::from_secs(2);

/// The answers that the clients received.
struct Seen {
    took_us: Histogram<u64>,
    refused: u64,
    /// The last answer that was not 202.
    refusal: Option<String>,
}

pub(crate) async fn run(clients: usize, seconds: u64) -> Result<()> {
    let mut env = BenchEnvironment::set("http").await?;
    env.environment.parameters.push((
        "StorefrontConcurrency".to_owned(),
        (clients + 2).to_string(),
    ));
    let host = env.environment.up().await?;
    let program: Arc<str> = env.program(400).await?.into();
    let buyers: Vec<Buyer> = (0..BUYERS)
        .map(|n| env.buyer(&format!("buyer-{n}")))
        .collect::<Result<_>>()?;
    let buyers = Arc::new(buyers);
    rush(&env, &program, &buyers, clients, WARM_UP).await?; // processes start, connections open

    let watch = host.status_client();
    let before = Reading::of_host(&watch).await?;
    let clock = Instant::now();
    let seen = rush(
        &env,
        &program,
        &buyers,
        clients,
        Duration::from_secs(seconds),
    )
    .await?;
    let elapsed = clock.elapsed().as_secs_f64();
    let cpu = Reading::of_host(&watch).await?.since(&before);
    ensure!(
        !seen.took_us.is_empty(),
        "no order was accepted; usher's log: {}",
        env.environment.log.display()
    );

    let count = seen.took_us.len() as f64;
    group(
        "Reserve and publish over HTTP",
        &format!(
            "{clients} clients, one order of 2 best seats a request, order-create running beside"
        ),
    );
    figure("accepted", count / elapsed, "orders/s");
    figure(
        "latency p50",
        seen.took_us.value_at_quantile(0.50) as f64 / 1000.0,
        "ms",
    );
    figure(
        "latency p99",
        seen.took_us.value_at_quantile(0.99) as f64 / 1000.0,
        "ms",
    );
    figure(
        "CPU of usher and all functions",
        cpu / count * 1e6,
        "s per million orders",
    );
    figure("not accepted", seen.refused as f64, "requests");
    if let Some(refusal) = seen.refusal {
        println!("  the last of them: {refusal}");
    }
    host.stop().await?;
    env.strike().await
}

async fn rush(
    env: &BenchEnvironment,
    program: &Arc<str>,
    buyers: &Arc<Vec<Buyer>>,
    clients: usize,
    span: Duration,
) -> Result<Seen> {
    let end = Instant::now() + span;
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let api = env.api.clone();
        let program = program.clone();
        let buyers = buyers.clone();
        tasks.spawn(async move {
            let mut seen = Seen {
                took_us: Histogram::new(3)?,
                refused: 0,
                refusal: None,
            };
            for turn in 0.. {
                if Instant::now() >= end {
                    break;
                }
                let buyer = &buyers[(client + turn * clients) % buyers.len()];
                let answer = api
                    .order(buyer, &program, 0, &SeatSelection::Best(2), None, 0)
                    .await;
                if answer.http == 202 {
                    seen.took_us.record(answer.took.as_micros() as u64)?;
                } else {
                    seen.refused += 1;
                    seen.refusal = Some(format!("{} {}", answer.http, answer.body));
                }
            }
            Ok::<_, anyhow::Error>(seen)
        });
    }
    let mut all = Seen {
        took_us: Histogram::new(3)?,
        refused: 0,
        refusal: None,
    };
    for seen in tasks.join_all().await {
        let seen = seen?;
        all.took_us.add(seen.took_us)?;
        all.refused += seen.refused;
        all.refusal = seen.refusal.or(all.refusal);
    }
    Ok(all)
}
