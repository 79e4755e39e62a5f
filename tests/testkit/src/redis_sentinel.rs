//! A primary, its replica, and a Sentinel that watches them.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::net::free_address;
use crate::process::KillOnDrop;
use crate::redis::{PrivateRedis, query};
use crate::tls::{Authority, path_text};

/// How the Sentinel calls the primary.
pub const PRIMARY_NAME: &str = "gate";
/// A primary that is silent for so long is replaced. Short, so that a failover is.
const DOWN_AFTER_MS: u32 = 1000;
const STARTING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// The password of the test itself at a Sentinel that requires a login.
const OWN_PASSWORD: &str = "of-the-test";

/// Two servers and one Sentinel. They end with this value.
#[derive(Debug)]
pub struct PrivateSentinel {
    /// The primary at the start.
    pub primary: PrivateRedis,
    /// Its replica at the start.
    pub replica: PrivateRedis,
    /// The port of the replica that the Sentinel names.
    replica_port: u16,
    /// The Sentinel's port without TLS.
    port: u16,
    /// Its port with TLS, if it has one. It requires a login then.
    tls_port: Option<u16>,
    _sentinel: KillOnDrop,
    _folder: TempDir,
}

impl PrivateSentinel {
    /// Starts them and waits until the Sentinel knows both servers.
    pub fn start() -> Self {
        let primary = PrivateRedis::start(&["--repl-diskless-sync-delay", "0"]);
        let primary_port = primary.port();
        let replica = PrivateRedis::start(&["--replicaof", "127.0.0.1", &primary_port.to_string()]);
        let replica_port = replica.port();
        Self::watching((primary, primary_port), (replica, replica_port), None, "")
    }

    /// The same with TLS between all of them, by certificates of this authority for `localhost` and
    /// `127.0.0.1`. The Sentinel requires a login; its users are that of the test and this one. The
    /// servers have both users as well, and ports without TLS for the test itself.
    pub fn start_with_tls(authority: &Authority, user: &str, password: &str) -> Self {
        let trusted = path_text(&authority.file());
        let user = format!("user {user} on >{password} ~* &* +@all");
        let words: Vec<&str> = user.split(' ').collect();
        let mut both = vec!["--tls-replication", "yes", "--tls-ca-cert-file", &trusted];
        both.extend(["--repl-diskless-sync-delay", "0"]);
        let start = |settings: &[&str]| {
            let settings = [&both[..], settings].concat();
            let started = PrivateRedis::start_with_tls(&authority.server(), &settings);
            started.0.run(&[&["ACL", "SETUSER"], &words[1..]].concat());
            started
        };
        let primary = start(&[]);
        let replica = start(&["--replicaof", "127.0.0.1", &primary.1.to_string()]);
        let tls_port = free_address().port();
        let own = authority.server();
        let (certificate, key) = (path_text(&own.certificate), path_text(&own.key));
        let settings = format!(
            "tls-port {tls_port}\ntls-replication yes\ntls-auth-clients no\n\
             tls-cert-file {certificate}\ntls-key-file {key}\ntls-ca-cert-file {trusted}\n\
             requirepass {OWN_PASSWORD}\n{user}\n"
        );
        Self::watching(primary, replica, Some(tls_port), &settings)
    }

    /// Starts the Sentinel, with further settings. Each server comes with the port that it is reached
    /// by.
    fn watching(
        (primary, primary_port): (PrivateRedis, u16),
        (replica, replica_port): (PrivateRedis, u16),
        tls_port: Option<u16>,
        further: &str,
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_address().port();
        let file = folder.path().join("sentinel.conf");
        let name = PRIMARY_NAME;
        let mut settings = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\n\
             sentinel monitor {name} 127.0.0.1 {primary_port} 1\n\
             sentinel down-after-milliseconds {name} {DOWN_AFTER_MS}\n\
             sentinel failover-timeout {name} 3000\n",
            folder.path().display()
        );
        settings.push_str(further);
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
            replica_port,
            port,
            tls_port,
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
        let (scheme, port) = match self.tls_port {
            Some(port) => ("rediss", port),
            None => ("redis", self.port),
        };
        format!("{scheme}://{dead},127.0.0.1:{port}?sentinel={PRIMARY_NAME}")
    }

    /// Replaces the primary by its replica, in order.
    pub fn fail_over(&self) {
        let words = ["SENTINEL", "FAILOVER", PRIMARY_NAME];
        let () = query(&self.sentinel_url(), &words).expect("the Sentinel starts a failover");
    }

    /// Waits until the Sentinel names the replica of the start as the primary.
    pub fn wait_for_failover(&self) {
        let replica = self.replica_port.to_string();
        wait("the replica is the primary", || {
            let words = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", PRIMARY_NAME];
            let named: Result<Vec<String>, _> = query(&self.sentinel_url(), &words);
            named.is_ok_and(|named| named.last() == Some(&replica))
        });
    }

    fn sentinel_url(&self) -> String {
        let login = match self.tls_port {
            Some(_) => format!(":{OWN_PASSWORD}@"),
            None => String::new(),
        };
        format!("redis://{login}127.0.0.1:{}", self.port)
    }
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + STARTING;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {STARTING:?}");
        std::thread::sleep(PAUSE);
    }
}
