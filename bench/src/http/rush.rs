//! Clients that order as fast as they are answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use ticket_rush::api::{Buyer, SeatSelection};
use tokio::task::JoinSet;

use crate::environment::BenchEnvironment;

/// Buyers in rotation: reserve sums up what a buyer holds, so one buyer must not hold thousands of
/// tickets.
const BUYERS: usize = 500;

/// The responses that clients received.
pub(super) struct Responses {
    /// Microseconds until each 202.
    pub(super) took_us: Histogram<u64>,
    /// Number of other responses.
    pub(super) refused: u64,
    /// The last of them.
    pub(super) refusal: Option<String>,
}

impl Responses {
    pub(super) fn none() -> Result<Self> {
        Ok(Self {
            took_us: Histogram::new(3)?,
            refused: 0,
            refusal: None,
        })
    }

    pub(super) fn add(&mut self, other: Self) -> Result<()> {
        self.took_us.add(other.took_us)?;
        self.refused += other.refused;
        self.refusal = other.refusal.or(self.refusal.take());
        Ok(())
    }
}

/// The buyers of a run.
pub(super) fn buyers(env: &BenchEnvironment) -> Result<Arc<Vec<Buyer>>> {
    let buyers = (0..BUYERS).map(|n| env.buyer(&format!("buyer-{n}")));
    Ok(Arc::new(buyers.collect::<Result<_>>()?))
}

/// Orders of two best seats by `clients`, each after the response to the one before.
pub(super) async fn rush(
    env: &BenchEnvironment,
    program: &Arc<str>,
    buyers: &Arc<Vec<Buyer>>,
    clients: usize,
    span: Duration,
) -> Result<Responses> {
    let end = Instant::now() + span;
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let api = env.api.clone();
        let program = program.clone();
        let buyers = buyers.clone();
        tasks.spawn(async move {
            let mut responses = Responses::none()?;
            for turn in 0.. {
                if Instant::now() >= end {
                    break;
                }
                let buyer = &buyers[(client + turn * clients) % buyers.len()];
                let answer = api
                    .order(buyer, &program, 0, &SeatSelection::Best(2), None, 0)
                    .await;
                if answer.http == 202 {
                    responses.took_us.record(answer.took.as_micros() as u64)?;
                } else {
                    responses.refused += 1;
                    responses.refusal = Some(format!("{} {}", answer.http, answer.body));
                }
            }
            Ok::<_, anyhow::Error>(responses)
        });
    }
    let mut all = Responses::none()?;
    for responses in tasks.join_all().await {
        all.add(responses?)?;
    }
    Ok(all)
}
