//! On Redis Cluster a script may touch one slot only: every verb, on a server in cluster mode that
//! holds all slots, and the tests of the gate and the cache on three nodes.

use std::time::{Duration, Instant};

use shared::gate::{Abandoned, Accepted, SettleTo, Settled};

use super::environment::{TestEnvironment, best, chosen, settle_to};
use testkit::redis::PrivateRedis;
use testkit::suite::run_on_cluster;

async fn clustered() -> (PrivateRedis, TestEnvironment) {
    let server = PrivateRedis::start(&["--cluster-enabled", "yes"]);
    server.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let environment = TestEnvironment::at(&server.url(), &[(9, 500)]).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !environment
        .query::<String>(&["CLUSTER", "INFO"])
        .await
        .contains("cluster_state:ok")
    {
        assert!(Instant::now() < deadline, "the cluster does not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (server, environment)
}

#[tokio::test]
async fn every_script_of_the_gate_stays_in_one_slot() {
    let (_server, environment) = clustered().await;
    environment.install().await;
    let one = environment.order();
    let two = environment.order();
    environment.held(one, "{a}b", best(2)).await;
    environment.held(two, "bob", chosen(&[1999, 2000])).await;
    assert_eq!(
        environment.gate.accept(one, 0, 0, 0, 60_000).await,
        Ok(Accepted::Yes)
    );
    assert_eq!(environment.gate.abandon(two).await, Ok(Abandoned::WasHeld));
    for to in [
        SettleTo::Live {
            due_in_ms: Some(60_000),
        },
        SettleTo::Gone { forget_key: true },
    ] {
        assert!(matches!(
            environment.gate.settle(&settle_to(one, to)).await,
            Ok(Settled::Done { .. })
        ));
    }
    assert!(
        environment
            .gate
            .reservation(two.order)
            .await
            .expect("answers")
            .is_some()
    );
    assert!(
        environment
            .gate
            .seat_map(environment.at_program(), &environment.program.categories[0])
            .await
            .expect("answers")
            .is_some()
    );
    assert_eq!(
        environment
            .gate
            .taken(environment.at_program(), 0)
            .await
            .expect("answers")
            .taken
            .len(),
        2
    );
    let () = environment
        .query(&["DEL", &environment.program_key("head")])
        .await;
    environment.install().await;
    let mut slots = Vec::new();
    for key in environment.keys().await {
        slots.push(
            environment
                .query::<u64>(&["CLUSTER", "KEYSLOT", &key])
                .await,
        );
    }
    slots.dedup();
    assert_eq!(slots.len(), 1, "all keys of a program are in one slot");
}

#[test]
fn every_test_of_the_gate_passes_on_three_nodes() {
    let modules = [
        "accepting::",
        "audit::",
        "best::",
        "confirmed::",
        "kept_keys::",
        "orders::",
        "reserve::",
        "room::",
        "settled_together::",
        "waiting::",
    ];
    run_on_cluster(&modules, &["REDIS_GATE_URL"]);
}

#[cfg(feature = "cache")]
#[test]
fn every_test_of_the_cache_passes_on_three_nodes() {
    let modules = [
        "cache::reading::",
        "cache::shared_cache::",
        "cache::follow::every",
        "limits::",
    ];
    run_on_cluster(&modules, &["CACHE_URL"]);
}
