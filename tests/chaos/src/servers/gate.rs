//! The gate: a primary, and a replica behind a relay of its own.

use std::sync::Arc;

use testkit::redis::PrivateRedis;
use testkit::relay::{Condition, Relay};
use tokio::task::block_in_place;

/// After a kill a server has lost nothing that it acknowledged: what is not on disk yet is in the
/// page cache.
const SETTINGS: [&str; 8] = [
    "--appendonly",
    "yes",
    "--appendfsync",
    "everysec",
    "--maxmemory-policy",
    "noeviction",
    "--repl-diskless-sync-delay",
    "0",
];

/// The two servers.
#[derive(Debug)]
pub struct Gate {
    /// Takes writes.
    pub primary: PrivateRedis,
    replica: PrivateRedis,
    /// From the replica to the primary.
    pub replication: Arc<Relay>,
}

impl Gate {
    pub(super) async fn start() -> Self {
        let (primary, replica) = block_in_place(|| {
            let start = || PrivateRedis::start(&SETTINGS);
            (start(), start())
        });
        let gate = Self {
            replication: Arc::new(Relay::start(primary.port()).await),
            primary,
            replica,
        };
        gate.replicate();
        gate
    }

    /// The replica copies the primary, and both agree on return.
    fn replicate(&self) {
        let port = self.replication.port().to_string();
        block_in_place(|| {
            self.replica.run(&["REPLICAOF", "127.0.0.1", &port]);
            self.primary.wait_for_replicas();
        });
    }

    /// From now on the replica misses what the primary writes.
    pub fn hold_replication(&self) {
        self.replication.set(Condition::Held);
    }

    /// Kills the primary, and makes the replica the primary with what it has. Returns the port that
    /// clients are to be led to. [`Self::restore`] follows.
    pub fn fail_over(&mut self) -> u16 {
        self.primary.kill();
        self.replication.set(Condition::Cut);
        block_in_place(|| self.replica.run(&["REPLICAOF", "NO", "ONE"]));
        std::mem::swap(&mut self.primary, &mut self.replica);
        self.primary.port()
    }

    /// The killed primary of before starts again, as the replica.
    pub fn restore(&mut self) {
        block_in_place(|| self.replica.start_again());
        self.replication.redirect(self.primary.port());
        self.replication.set(Condition::Open);
        self.replicate();
    }

    /// The replica becomes the primary once it has everything, and the primary its replica, whose
    /// connections stay open and answer READONLY. Returns the port that new clients are to be led
    /// to.
    pub fn hand_over(&mut self) -> u16 {
        block_in_place(|| {
            let port = self.replica.port().to_string();
            self.primary
                .run(&["FAILOVER", "TO", "127.0.0.1", &port, "TIMEOUT", "10000"]);
            while role(&self.replica) != "master" {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        });
        std::mem::swap(&mut self.primary, &mut self.replica);
        self.replication.redirect(self.primary.port());
        self.primary.port()
    }

    /// After a hand-over the replica copies through its relay again.
    pub fn settle(&self) {
        self.replicate();
    }

    /// Waits until the replica has what the primary has.
    pub fn in_sync(&self) {
        block_in_place(|| self.primary.wait_for_replicas());
    }

    /// Bytes that the primary uses.
    pub fn used_memory(&self) -> u64 {
        let info: String = block_in_place(|| self.primary.query(&["INFO", "memory"]));
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        line.and_then(|bytes| bytes.trim().parse().ok())
            .expect("INFO memory has used_memory")
    }
}

fn role(server: &PrivateRedis) -> String {
    let info: String = server.query(&["INFO", "replication"]);
    let line = info.lines().find_map(|line| line.strip_prefix("role:"));
    line.unwrap_or_default().trim().to_owned()
}
