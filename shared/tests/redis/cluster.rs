//! On Redis Cluster a script may touch one slot only: every verb, on a server in cluster mode that
//! holds all slots.

use std::time::{Duration, Instant};

use delay_queue::Shard;
use delay_queue::{Due, Fenced, Replayed, Scheduled};
use shared::gate::{Abandoned, Accepted, SettleTo, Settled};

use super::private::Private;
use super::stage::{Stage, best, chosen, settle_to};

async fn clustered() -> (Private, Stage) {
    let server = Private::start(&["--cluster-enabled", "yes"]);
    server.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let stage = Stage::at(&server.url(), &[(9, 500)]).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !stage
        .ask::<String>(&["CLUSTER", "INFO"])
        .await
        .contains("cluster_state:ok")
    {
        assert!(Instant::now() < deadline, "the cluster does not form");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (server, stage)
}

#[tokio::test]
async fn every_script_of_the_gate_keeps_to_one_slot() {
    let (_server, stage) = clustered().await;
    stage.install().await;
    let one = stage.order();
    let two = stage.order();
    stage.held(one, "{a}b", best(2)).await;
    stage.held(two, "bob", chosen(&[1999, 2000])).await;
    assert_eq!(
        stage.gate.accept(one, 0, 0, 0, 60_000).await,
        Ok(Accepted::Yes)
    );
    assert_eq!(stage.gate.abandon(two, None).await, Ok(Abandoned::WasHeld));
    for to in [
        SettleTo::Live {
            due_in_ms: Some(60_000),
        },
        SettleTo::Gone { forget_key: true },
    ] {
        assert!(matches!(
            stage.gate.settle(&settle_to(one, to)).await,
            Ok(Settled::Done { .. })
        ));
    }
    assert!(
        stage
            .gate
            .reservation(two.order)
            .await
            .expect("answers")
            .is_some()
    );
    assert!(
        stage
            .gate
            .seat_map(stage.at_program(), &stage.program.categories[0])
            .await
            .expect("answers")
            .is_some()
    );
    assert_eq!(
        stage
            .gate
            .taken(stage.at_program(), 0)
            .await
            .expect("answers")
            .taken
            .len(),
        2
    );
    let () = stage.ask(&["DEL", &stage.program_key("head")]).await;
    stage.install().await;
    let mut slots = Vec::new();
    for key in stage.keys().await {
        slots.push(stage.ask::<u64>(&["CLUSTER", "KEYSLOT", &key]).await);
    }
    slots.dedup();
    assert_eq!(slots.len(), 1, "all keys of a program are in one slot");
}

#[tokio::test]
async fn every_script_of_the_delay_queue_keeps_to_one_slot() {
    let (_server, stage) = clustered().await;
    let queue = stage.gate.timeouts();
    let shards: Vec<Shard> = Shard::all().collect();
    for id in ["a", "b", "c"] {
        assert_eq!(
            queue.schedule(shards[3], id, "x", Due::At(1)).await,
            Ok(Scheduled::New)
        );
    }
    let claims = queue
        .claim(&shards, 100, 60_000)
        .await
        .expect("answers")
        .claims;
    assert_eq!(claims.len(), 3);
    assert_eq!(queue.extend(&claims[0], 60_000).await, Ok(Fenced::Done));
    assert_eq!(queue.ack(&claims[0]).await, Ok(Fenced::Done));
    assert_eq!(queue.retry(&claims[1], 60_000).await, Ok(Fenced::Done));
    assert_eq!(queue.park(&claims[2], "why").await, Ok(Fenced::Done));
    assert_eq!(
        queue.parked(shards[3], 0, 10).await.expect("answers").len(),
        1
    );
    assert_eq!(
        queue.replay(shards[3], "c", Due::In(60_000)).await,
        Ok(Replayed::Done)
    );
    assert_eq!(queue.reschedule(shards[3], "c", Due::In(1)).await, Ok(true));
    assert_eq!(queue.cancel(shards[3], "c").await, Ok(true));
    assert!(queue.peek(shards[3], "b").await.expect("answers").is_some());
    assert_eq!(queue.stats(shards[3]).await.expect("answers").waiting, 1);
}
