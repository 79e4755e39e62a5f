//! Primaries that are replaced by their replicas.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;

use super::Target;
use crate::place::Server;

/// What the replica of the gate misses.
const MISSED: Duration = Duration::from_secs(1);
/// How long old connections to the former primary stay.
const READ_ONLY: Duration = Duration::from_secs(3);

impl Target {
    pub(super) async fn gate_failover(&self) -> Result<String> {
        let mut gate = self.servers.gate.lock().await;
        gate.hold_replication();
        sleep(MISSED).await;
        let port = gate.fail_over();
        self.servers.network.redirect(Server::Gate, port);
        gate.restore();
        Ok(format!("the replica misses {MISSED:?}"))
    }

    pub(super) async fn gate_handover(&self) -> Result<String> {
        let mut gate = self.servers.gate.lock().await;
        let port = gate.hand_over();
        self.servers.network.redirect(Server::Gate, port);
        sleep(READ_ONLY).await;
        gate.settle();
        Ok("nothing is lost; old connections lead to a replica".to_owned())
    }

    pub(super) async fn database_failover(&self) -> Result<String> {
        let mut database = self.servers.database.lock().await;
        let port = database.fail_over().await;
        self.servers.network.redirect(Server::Database, port);
        database.restore().await;
        Ok("the standby was synchronous: no commit is lost".to_owned())
    }
}
