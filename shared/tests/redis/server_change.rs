//! The server of the gate loses writes, its role or its functions. Each test begins with a gate
//! that is open and whose server has just been found to be the one it was filled on.

use std::time::{Duration, Instant};

use shared::gate::{Accepted, Gate, OrderAt, Reserved, SettleTo, Settled};

use super::environment::{TestEnvironment, best, settle_to};
use testkit::redis::PrivateRedis;
use testkit::relay::Relay;

const TIMEOUT: Duration = Duration::from_secs(5);
/// For how long a function relies on the replication id that it has read, ms: `KNOWN_MS` of
/// link/server.lua.
const KNOWN_MS: u64 = 10;

async fn reserve(gate: &Gate, environment: &TestEnvironment) -> Reserved {
    let at = environment.order();
    gate.reserve(&environment.request(at, "alice", best(1)))
        .await
        .expect("answers")
}

async fn sells(gate: &Gate, environment: &TestEnvironment) -> bool {
    matches!(reserve(gate, environment).await, Reserved::Held { .. })
}

/// Waits until the server's clock is behind the time in which it relies on what it has read.
async fn forget(server: &PrivateRedis) {
    let now = || {
        let (seconds, micros): (u64, u64) = server.query(&["TIME"]);
        seconds * 1000 + micros / 1000
    };
    let read = now();
    while now() <= read + KNOWN_MS {
        tokio::task::yield_now().await;
    }
}

/// Makes `replica` follow `primary`, and waits until it has all of its data.
async fn follow(replica: &PrivateRedis, primary: &PrivateRedis) {
    let port = primary.port().to_string();
    replica.run(&["REPLICAOF", "127.0.0.1", &port]);
    catch_up(replica, primary).await;
}

async fn catch_up(replica: &PrivateRedis, primary: &PrivateRedis) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !caught_up(replica, primary) {
        assert!(Instant::now() < deadline, "the replica does not catch up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn caught_up(replica: &PrivateRedis, primary: &PrivateRedis) -> bool {
    let info = |server: &PrivateRedis| server.query::<String>(&["INFO", "replication"]);
    let offset = |info: &str, name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|text| text.parse::<u64>().ok())
    };
    let (theirs, ours) = (info(primary), info(replica));
    ours.contains("master_link_status:up")
        && offset(&ours, "slave_repl_offset:") == offset(&theirs, "master_repl_offset:")
}

fn promote(server: &PrivateRedis) {
    server.run(&["REPLICAOF", "NO", "ONE"]);
}

fn full_syncs(server: &PrivateRedis) -> String {
    let info: String = server.query(&["INFO", "stats"]);
    let line = info.lines().find(|line| line.starts_with("sync_full:"));
    line.expect("counted").to_owned()
}

/// An open gate on a primary with a replica; both have the functions.
async fn pair() -> (PrivateRedis, PrivateRedis, TestEnvironment) {
    let (primary, replica) =
        tokio::task::block_in_place(|| (PrivateRedis::start(&[]), PrivateRedis::start(&[])));
    let environment = TestEnvironment::at(&primary.url(), &[(1, 100)]).await;
    // The first replica gives a primary a new replication id.
    follow(&replica, &primary).await;
    environment.install().await;
    assert!(sells(&environment.gate, &environment).await);
    catch_up(&replica, &primary).await;
    (primary, replica, environment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_replica_without_the_last_writes_is_filled_again() {
    let (primary, replica, environment) = pair().await;
    let relay = Relay::start(primary.port()).await;
    let url = format!("redis://127.0.0.1:{}", relay.port());
    let gate = Gate::connect(&url, environment.names.clone(), TIMEOUT).expect("a usable address");
    promote(&replica);
    assert!(
        sells(&gate, &environment).await,
        "an order the replica lacks"
    );
    relay.redirect(replica.port());
    primary.run(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(reserve(&gate, &environment).await, Reserved::Rebuild);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_from_an_older_snapshot_is_filled_again() {
    let mut server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url(), &[(1, 100)]).await;
    environment.install().await;
    assert!(sells(&environment.gate, &environment).await);
    server.run(&["SAVE"]);
    assert!(sells(&environment.gate, &environment).await, "not saved");
    tokio::task::block_in_place(|| {
        server.kill();
        server.start_again();
    });
    let gate = Gate::connect(&server.url(), environment.names.clone(), TIMEOUT).expect("usable");
    let functions: Vec<redis::Value> = server.query(&["FUNCTION", "LIST"]);
    assert!(!functions.is_empty(), "the snapshot has the functions");
    assert_eq!(reserve(&gate, &environment).await, Reserved::Rebuild);
}

/// A primary that was replaced, followed its successor and is promoted again lacks what its
/// successor wrote last.
async fn promoted_again(writes_meanwhile: bool) {
    let (primary, replica, environment) = pair().await;
    promote(&replica);
    if writes_meanwhile {
        // The successor lacks this, so that the old primary must load all data of the successor.
        assert!(sells(&environment.gate, &environment).await);
    }
    let before = full_syncs(&replica);
    follow(&primary, &replica).await;
    assert_eq!(full_syncs(&replica) != before, writes_meanwhile);
    forget(&primary).await;
    promote(&primary);
    assert_eq!(
        reserve(&environment.gate, &environment).await,
        Reserved::Rebuild
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_promoted_again_after_a_full_sync_is_filled_again() {
    promoted_again(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_promoted_again_after_a_partial_sync_is_filled_again() {
    promoted_again(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_sells_nothing() {
    let (primary, replica, environment) = pair().await;
    primary.run(&["REPLICAOF", "127.0.0.1", "1"]);
    for server in [&primary, &replica] {
        let gate =
            Gate::connect(&server.url(), environment.names.clone(), TIMEOUT).expect("usable");
        let at = environment.order();
        let request = environment.request(at, "alice", best(1));
        let refused = gate.reserve(&request).await;
        assert!(refused.is_err(), "{refused:?}");
    }
}

/// One order from reserved to stored.
async fn sell(gate: &Gate, environment: &TestEnvironment, at: OrderAt) {
    let request = environment.request(at, "alice", best(1));
    let held = gate.reserve(&request).await;
    assert!(matches!(held, Ok(Reserved::Held { .. })), "{held:?}");
    let accepted = gate.accept(at, 0, 1, 2, 60_000).await;
    assert_eq!(accepted, Ok(Accepted::Yes));
    let unpaid = SettleTo::Live {
        due_in_ms: Some(60_000),
    };
    let settled = gate.settle(&settle_to(at, unpaid)).await;
    assert!(matches!(settled, Ok(Settled::Done { .. })), "{settled:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_functions_are_loaded_again() {
    let server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url(), &[(1, 100)]).await;
    environment.install().await;
    for _ in 0..2 {
        sell(&environment.gate, &environment, environment.order()).await;
        let functions: Vec<redis::Value> = server.query(&["FUNCTION", "LIST"]);
        assert!(!functions.is_empty());
        server.run(&["FUNCTION", "FLUSH"]);
        server.run(&["SCRIPT", "FLUSH"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_functions_the_scripts_run() {
    let server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url(), &[(1, 100)]).await;
    environment.install().await;
    let plain = [
        "ACL", "SETUSER", "plain", "on", ">hush", "~*", "&*", "+@all",
    ];
    server.run(&[&plain[..], &["-fcall", "-function"]].concat());
    let url = server.url().replace("redis://", "redis://plain:hush@");
    let gate = Gate::connect(&url, environment.names.clone(), TIMEOUT).expect("usable");
    for _ in 0..2 {
        sell(&gate, &environment, environment.order()).await;
    }
    let functions: Vec<redis::Value> = server.query(&["FUNCTION", "LIST"]);
    assert!(functions.is_empty(), "this user may not load any");
}
