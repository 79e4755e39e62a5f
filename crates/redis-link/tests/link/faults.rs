//! Faults of a connection or a server. Whatever happens, no call exceeds its bound, and the link
//! works again within 5 s after the fault, without a new process.
//!
//! A server or a process that is frozen for ten minutes takes the same path as one that is frozen
//! for longer than the response timeout: the connection is replaced by then. The tests freeze for
//! twice that time.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis_link::{Link, LinkError};
use testkit::process::KillOnDrop;
use testkit::redis::PrivateRedis;
use testkit::redis_cluster::PrivateCluster;
use testkit::redis_sentinel::PrivateSentinel;
use testkit::relay::Relay;

use crate::counter::Counter;
use crate::{RECOVERY, TIMEOUT};

/// A server behind a relay.
struct Fixture {
    server: PrivateRedis,
    relay: Relay,
    counter: Counter,
}

impl Fixture {
    async fn start() -> Self {
        let server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
        let relay = Relay::start(server.port()).await;
        let url = format!("redis://127.0.0.1:{}", relay.port());
        let link = Link::open(&url, TIMEOUT).expect("a usable address");
        let mut counter = Counter::new(&link, "key");
        counter.add().await.expect("the server answers");
        Self {
            server,
            relay,
            counter,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_connection_costs_one_timeout() {
    let mut fixture = Fixture::start().await;
    fixture.relay.silence().await;
    let errors = fixture.counter.add_soon().await;
    assert_eq!(errors.len(), 1, "{errors:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_connection_costs_nothing() {
    let mut fixture = Fixture::start().await;
    fixture.relay.reset().await;
    assert_eq!(fixture.counter.add().await, Ok(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_gone_is_waited_for_in_bounds() {
    let mut fixture = Fixture::start().await;
    // Nothing is accepted: the kernel completes the handshake, and no byte is ever answered.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    fixture
        .relay
        .redirect(hole.local_addr().expect("an address").port());
    fixture.relay.silence().await;
    for _ in 0..3 {
        let failed = fixture.counter.add().await;
        assert!(
            matches!(failed, Err(LinkError::Unavailable(_))),
            "{failed:?}"
        );
    }
    fixture.relay.redirect(fixture.server.port());
    fixture.counter.add_soon().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_primary_is_left() {
    let mut fixture = Fixture::start().await;
    let other = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    other.run(&["SET", "key", "1"]);
    fixture.relay.redirect(other.port());
    let port = other.port().to_string();
    fixture.server.run(&["REPLICAOF", "127.0.0.1", &port]);
    assert_eq!(fixture.counter.add().await, Ok(2), "it is repeated there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_elsewhere_is_followed() {
    let mut fixture = Fixture::start().await;
    let other = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    other.run(&["SET", "key", "1"]);
    fixture.server.kill();
    let failed = fixture.counter.add().await;
    assert!(
        matches!(failed, Err(LinkError::Unavailable(_))),
        "{failed:?}"
    );
    fixture.relay.redirect(other.port());
    fixture.counter.add_soon().await;
    assert_eq!(fixture.counter.seen, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_used_again_when_it_runs() {
    let mut fixture = Fixture::start().await;
    fixture.server.signal(Signal::SIGSTOP);
    let until = Instant::now() + 2 * TIMEOUT;
    while Instant::now() < until {
        let failed = fixture.counter.add().await;
        assert!(
            matches!(failed, Err(LinkError::Unavailable(_))),
            "{failed:?}"
        );
    }
    fixture.server.signal(Signal::SIGCONT);
    fixture.counter.add_soon().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_replace_a_frozen_primary() {
    let set = tokio::task::block_in_place(PrivateSentinel::start);
    let link = Link::open(&set.url(), TIMEOUT).expect("a usable address");
    let mut counter = Counter::new(&link, "key");
    counter.add().await.expect("the primary answers");
    set.primary.wait_for_replicas();
    set.primary.signal(Signal::SIGSTOP);
    tokio::task::block_in_place(|| set.wait_for_failover());
    counter.add_soon().await;
    // The old primary comes back, and still takes itself for one.
    set.primary.signal(Signal::SIGCONT);
    counter.add_soon().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_replaces_a_frozen_primary() {
    let cluster = tokio::task::block_in_place(|| PrivateCluster::start(3, 1));
    let link = Link::open(&cluster.url(), TIMEOUT).expect("a usable address");
    let key = (0..10_000)
        .map(|n| format!("key{n}"))
        .find(|key| cluster.primary_of(key) == 0);
    let mut counter = Counter::new(&link, key.expect("a key for each node"));
    counter.add().await.expect("the primary answers");
    cluster.node(0).wait_for_replicas();
    cluster.node(0).signal(Signal::SIGSTOP);
    counter.add_soon().await;
    cluster.node(0).signal(Signal::SIGCONT);
    counter.add_soon().await;
}

/// The address of the server, for the process below.
const CHILD_URL: &str = "REDIS_LINK_CHILD_URL";

/// Raises a counter for ever, and prints each value.
#[tokio::test]
#[ignore = "the test below runs and freezes it"]
async fn a_process_that_counts() {
    let url = std::env::var(CHILD_URL).expect("the address of a server");
    let link = Link::open(&url, TIMEOUT).expect("a usable address");
    let mut counter = Counter::new(&link, "key");
    loop {
        counter.add_soon().await;
        println!("counted {}", counter.seen);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().cast_signed()), signal).expect("the process runs");
}

#[test]
fn a_frozen_process_works_when_it_runs_again() {
    let server = PrivateRedis::start(&[]);
    let binary = std::env::current_exe().expect("the path of this binary");
    let child = Command::new(binary)
        .args([
            "--exact",
            "faults::a_process_that_counts",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD_URL, server.url())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = KillOnDrop(child.expect("this binary runs"));
    let output = child.0.stdout.take().expect("it is piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let mut counted = || {
        lines
            .find(|line| line.contains("counted "))
            .expect("it counts")
    };
    counted();
    signal(&child.0, Signal::SIGSTOP);
    std::thread::sleep(2 * TIMEOUT);
    // What a server or a firewall does to a client that is away for long.
    server.run(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    let before: u64 = server.query(&["GET", "key"]);
    signal(&child.0, Signal::SIGCONT);
    let began = Instant::now();
    while server.query::<u64>(&["GET", "key"]) < before + 2 {
        assert!(
            began.elapsed() < RECOVERY,
            "no step since the process runs again"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    counted();
}
