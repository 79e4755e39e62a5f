//! A primary, its replica, and a Sentinel that watches them.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::net::free_address;
use crate::process::KillOnDrop;
use crate::redis::{PrivateRedis, query};

/// How the Sentinel calls the primary.
pub const PRIMARY_NAME: &str = "gate";
/// A primary that is silent for so long is replaced. Short, so that a failover is.
const DOWN_AFTER_MS: u32 = 1000;
const STARTING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Two servers and one Sentinel. They end with this value.
#[derive(Debug)]
pub struct PrivateSentinel {
    /// The primary at the start.
    pub primary: PrivateRedis,
    /// Its replica at the start.
    pub replica: PrivateRedis,
    port: u16,
    _sentinel: KillOnDrop,
    _folder: TempDir,
}

impl PrivateSentinel {
    /// Starts them and waits until the Sentinel knows both servers.
    pub fn start() -> Self {
        let primary = PrivateRedis::start(&["--repl-diskless-sync-delay", "0"]);
        let primary_port = primary.port().to_string();
        let replica = PrivateRedis::start(&["--replicaof", "127.0.0.1", &primary_port]);
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_address().port();
        let file = folder.path().join("sentinel.conf");
        let name = PRIMARY_NAME;
        let settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor {name} 127.0.0.1 {primary_port} 1\n\
             sentinel down-after-milliseconds {name} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {name} 3000\n",
            folder.path().display()
        );
        fs::write(&file, settings).expect("the folder is writable");
        let sentinel = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts");
        let set = Self {
            primary,
            replica,
            port,
            _sentinel: KillOnDrop(sentinel),
            _folder: folder,
        };
        wait("the Sentinel knows the replica", || {
            let replicas: Result<Vec<Vec<String>>, _> =
                query(&set.sentinel_url(), &["SENTINEL", "REPLICAS", name]);
            let in_step = |replica: &Vec<String>| {
                replica
                    .windows(2)
                    .any(|pair| pair == ["master-link-status", "ok"])
            };
            replicas.is_ok_and(|replicas| replicas.iter().any(in_step))
        });
        set
    }

    /// The address of the primary, for clients. A Sentinel that does not run is named first.
    pub fn url(&self) -> String {
        let dead = free_address();
        format!(
            "redis://{dead},127.0.0.1:{}?sentinel={PRIMARY_NAME}",
            self.port
        )
    }

    /// Replaces the primary by its replica, in order.
    pub fn fail_over(&self) {
        let words = ["SENTINEL", "FAILOVER", PRIMARY_NAME];
        let () = query(&self.sentinel_url(), &words).expect("the Sentinel starts a failover");
    }

    /// Waits until the Sentinel names the replica of the start as the primary.
    pub fn wait_for_failover(&self) {
        let replica = self.replica.port().to_string();
        wait("the replica is the primary", || {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME];
            let named: Result<Vec<String>, _> = query(&self.sentinel_url(), &words);
            named.is_ok_and(|named| named.last() == Some(&replica))
        });
    }

    fn sentinel_url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + STARTING;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {STARTING:?}");
        std::thread::sleep(PAUSE);
    }
}
