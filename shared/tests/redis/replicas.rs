//! A primary with `min-replicas-to-write` that has lost its replica: it may have been replaced, so
//! it must take nothing.

use shared::gate::{Accepted, GateError, ReservationState, SettleTo};
use testkit::redis::PrivateRedis;
use testkit::until;

use super::environment::{TestEnvironment, best, chosen, settle_to};

/// A primary that takes writes only while its replica follows.
fn pair() -> (PrivateRedis, PrivateRedis) {
    let settings = [
        "--min-replicas-to-write",
        "1",
        "--min-replicas-max-lag",
        "10",
    ];
    let primary =
        PrivateRedis::start(&[&settings[..], &["--repl-diskless-sync-delay", "0"]].concat());
    let port = primary.port().to_string();
    let replica = PrivateRedis::start(&["--replicaof", "127.0.0.1", &port]);
    primary.wait_for_replicas();
    (primary, replica)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_without_its_replica_takes_nothing() {
    let (primary, mut replica) = tokio::task::block_in_place(pair);
    let environment = TestEnvironment::at(&primary.url(), &[(1, 10)]).await;
    environment.install().await;
    let held = environment.order();
    environment.held(held, "alice", chosen(&[0, 1])).await;
    let before = environment.keys().await;
    tokio::task::block_in_place(|| replica.kill());
    until("the primary has lost its replica", async || {
        let info: String = primary.query(&["INFO", "replication"]);
        info.contains("min_slaves_good_slaves:0")
    })
    .await;

    let unavailable = |error: Option<GateError>| match error {
        Some(GateError::Unavailable(why)) => assert!(why.contains("NOREPLICAS"), "{why}"),
        other => panic!("no outage but {other:?}"),
    };
    let gate = &environment.gate;
    let request = environment.request(environment.order(), "bob", best(2));
    unavailable(gate.reserve(&request).await.err());
    unavailable(gate.accept(held, 0, 5, 5, 60_000).await.err());
    unavailable(gate.abandon(held).await.err());
    let gone = settle_to(held, SettleTo::Gone { forget_key: false });
    unavailable(gate.settle(&gone).await.err());
    unavailable(gate.add_seats(&environment.program).await.err());
    // Nothing is half done, and reading goes on.
    assert_eq!(environment.keys().await, before);
    assert_eq!(environment.free().await, 8);
    let reservation = gate.reservation(held.order).await.expect("reads");
    let state = reservation.map(|reservation| reservation.state);
    assert_eq!(state, Some(ReservationState::Held));

    tokio::task::block_in_place(|| {
        replica.start_again();
        primary.wait_for_replicas();
    });
    assert_eq!(gate.accept(held, 0, 5, 5, 60_000).await, Ok(Accepted::Yes));
    environment.held(environment.order(), "bob", best(2)).await;
}
