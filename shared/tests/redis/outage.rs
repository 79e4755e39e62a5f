//! Redis down, restarted or full.

use std::time::{Duration, Instant};

use delay_queue::Shard;
use delay_queue::{Due, Fenced};
use shared::gate::{Abandoned, Accepted, Gate, GateError, Reserved, SettleTo, Settled};
use shared::naming::Names;

use super::environment::{TestEnvironment, best, settle_to};
use testkit::redis::PrivateRedis;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_that_is_away_is_unavailable_in_bounded_time_and_used_again_when_it_is_back() {
    let mut server = PrivateRedis::start(&[]);
    let names = Names::new("away").expect("valid");
    let gate =
        Gate::connect(&server.url(), names, Duration::from_millis(500)).expect("a usable address");
    gate.ping().await.expect("answers");
    server.kill();
    for _ in 0..3 {
        let asked = Instant::now();
        let answer = gate.ping().await;
        assert!(
            matches!(answer, Err(GateError::Unavailable(_))),
            "{answer:?}"
        );
        // A generous bound: what is shown is that there is one.
        assert!(asked.elapsed() < Duration::from_secs(20));
    }
    tokio::task::block_in_place(|| server.start_again());
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = gate.ping().await {
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_gate_can_be_made_while_redis_is_away() {
    let mut server = PrivateRedis::start(&[]);
    server.kill();
    let gate = Gate::connect(
        &server.url(),
        Names::new("early").expect("valid"),
        Duration::from_millis(500),
    )
    .expect("made");
    assert!(matches!(
        gate.now_ms().await,
        Err(GateError::Unavailable(_))
    ));
    tokio::task::block_in_place(|| server.start_again());
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = gate.now_ms().await {
        assert!(Instant::now() < deadline, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_invalid_address_is_refused_without_its_password() {
    let refused = Gate::connect(
        "http://user:hush@nowhere",
        Names::new("bad").expect("valid"),
        Duration::from_secs(1),
    );
    let Err(GateError::Protocol(text)) = refused else {
        panic!("taken for an address")
    };
    assert!(
        text.contains("the address of Redis is not usable") && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn missing_scripts_are_loaded_again() {
    let server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), &[(1, 10)]).await;
    environment.install().await;
    let queue = environment.gate.timeouts();
    for round in 1..=3 {
        server.run(&["SCRIPT", "FLUSH"]);
        environment
            .held(environment.order(), "alice", best(1))
            .await;
        let shards: Vec<Shard> = Shard::all().collect();
        server.run(&["SCRIPT", "FLUSH"]);
        queue
            .schedule(shards[round], "now", "x", Due::In(0))
            .await
            .expect("answers");
        server.run(&["SCRIPT", "FLUSH"]);
        let mut claimed = queue.claim(&shards, 100, 60_000).await.expect("answers");
        while claimed.claims.is_empty() {
            claimed = queue.claim(&shards, 100, 60_000).await.expect("answers");
        }
        server.run(&["SCRIPT", "FLUSH"]);
        assert_eq!(
            queue.ack_many(&claimed.claims).await,
            Ok(vec![Fenced::Done])
        );
    }
    assert_eq!(environment.free().await, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_full_server_refuses_orders_but_can_be_emptied() {
    let server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), &[(1, 10)]).await;
    environment.install().await;
    let accepted = environment.order();
    let abandoned = environment.order();
    environment.held(accepted, "alice", best(2)).await;
    environment.held(abandoned, "bob", best(2)).await;
    let queue = environment.gate.timeouts();
    let shard = environment.program.shard.into();
    queue
        .schedule(shard, "early", "x", Due::In(0))
        .await
        .expect("answers");
    server.run(&["CONFIG", "SET", "maxmemory", "1"]);
    let before = environment.keys().await;
    assert_eq!(
        environment
            .gate
            .reserve(&environment.request(environment.order(), "carol", best(1)))
            .await,
        Err(GateError::OutOfMemory)
    );
    assert_eq!(
        queue.schedule(shard, "more", "x", Due::In(0)).await,
        Err(GateError::OutOfMemory)
    );
    assert_eq!(environment.keys().await, before);
    assert_eq!(
        environment.gate.accept(accepted, 0, 0, 0, 60_000).await,
        Ok(Accepted::Yes)
    );
    assert_eq!(
        environment.gate.abandon(abandoned).await,
        Ok(Abandoned::WasHeld)
    );
    let mut claimed = queue
        .claim(&[shard], 10, 60_000)
        .await
        .expect("answers")
        .claims;
    while claimed.is_empty() {
        claimed = queue
            .claim(&[shard], 10, 60_000)
            .await
            .expect("answers")
            .claims;
    }
    assert_eq!(queue.extend(&claimed[0], 90_000).await, Ok(Fenced::Done));
    assert_eq!(queue.ack(&claimed[0]).await, Ok(Fenced::Done));
    for at in [accepted, abandoned] {
        let gone = environment
            .gate
            .settle(&settle_to(at, SettleTo::Gone { forget_key: true }))
            .await;
        assert_eq!(
            gone,
            Ok(Settled::Done {
                displaced: vec![],
                freed: 2
            })
        );
    }
    server.run(&["CONFIG", "SET", "maxmemory", "0"]);
    assert!(matches!(
        environment
            .gate
            .reserve(&environment.request(environment.order(), "carol", best(1)))
            .await,
        Ok(Reserved::Held { .. })
    ));
}
