//! A running sale that takes orders at a constant rate.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ticket_rush::api::Buyer;
use ticket_rush::host::StatusClient;
use tokio::time::sleep;

use super::arrivals::{Arrived, Schedule, arrive};
use super::orders::{buyers, requests};
use crate::environment::BenchEnvironment;

/// Requests in flight at most. More wait for their sending, and their waiting counts: the host
/// would refuse what exceeds the concurrency of usher.toml.
pub(super) const CONNECTIONS: usize = 120;
/// Time before the measured requests of each rate.
pub(super) const WARM_UP: Duration = Duration::from_secs(1);
/// Maximum time of order-create for what was accepted.
const PATIENCE: Duration = Duration::from_mins(2);

/// A running system that takes orders.
pub(super) struct Sale<'e> {
    pub(super) env: &'e BenchEnvironment,
    pub(super) watch: StatusClient,
    buyers: Vec<Buyer>,
    /// Orders that were accepted since the start.
    accepted: u64,
}

impl<'e> Sale<'e> {
    pub(super) fn new(env: &'e BenchEnvironment, watch: StatusClient) -> Result<Self> {
        Ok(Self {
            env,
            watch,
            buyers: buyers(env)?,
            accepted: 0,
        })
    }

    /// Orders of a new program at a constant rate. Fails if none is accepted.
    pub(super) async fn orders(&mut self, schedule: Schedule) -> Result<Arrived> {
        let server = self.env.environment.http;
        let program = self.env.program(400).await?;
        let requests = requests(server, &program, &self.buyers);
        let arrived = arrive(server, requests, schedule).await?;
        self.accepted += arrived.accepted;
        ensure!(
            arrived.accepted > 0,
            "no order was accepted ({:?}); usher's log: {}",
            arrived.measured.refusal,
            self.env.environment.log.display()
        );
        Ok(arrived)
    }

    /// Accepted orders that order-create has not handled.
    pub(super) async fn behind(&self) -> Result<u64> {
        let status = self.watch.status().await?;
        let done = status.mapping("OrderCreate").map_or(0, |m| m.records_done);
        Ok(self.accepted.saturating_sub(done))
    }

    /// Waits until every accepted order is stored.
    pub(super) async fn stored(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let behind = self.behind().await?;
            if behind == 0 {
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{behind} accepted orders are not stored"
            );
            sleep(Duration::from_millis(20)).await;
        }
    }
}
