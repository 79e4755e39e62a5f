//! The network between parts of the system.

use std::time::Duration;

use anyhow::Result;
use testkit::relay::Condition;
use tokio::time::sleep;

use super::Target;
use crate::place::Path;

/// Latency in each direction: that of two regions.
const LATENCY: Duration = Duration::from_millis(80);

impl Target {
    pub(super) async fn cut(&self, path: Path, lasts: Duration) -> Result<String> {
        self.condition(path, Condition::Cut, lasts).await;
        Ok(format!("cut for {lasts:?}"))
    }

    pub(super) async fn hold(&self, path: Path, lasts: Duration) -> Result<String> {
        self.condition(path, Condition::Held, lasts).await;
        Ok(format!("held for {lasts:?}"))
    }

    pub(super) async fn delay(&self, path: Path, lasts: Duration) -> Result<String> {
        self.condition(path, Condition::Delayed(LATENCY), lasts)
            .await;
        Ok(format!("{LATENCY:?} in each direction for {lasts:?}"))
    }

    pub(super) async fn half_open(&self, path: Path) -> Result<String> {
        for relay in self.servers.network.relays(path) {
            relay.silence().await;
        }
        Ok("existing connections are silent".to_owned())
    }

    async fn condition(&self, path: Path, condition: Condition, lasts: Duration) {
        let relays = self.servers.network.relays(path);
        for relay in &relays {
            relay.set(condition);
        }
        sleep(lasts).await;
        for relay in &relays {
            relay.set(Condition::Open);
        }
        // A failover right afterwards is to find a replica that has everything.
        match path {
            Path::GateReplica => self.servers.gate.lock().await.in_sync(),
            Path::Standby => self.servers.database.lock().await.in_sync().await,
            Path::Hosts(_) | Path::OneHost(_) | Path::Provider => {}
        }
    }
}
