//! On Redis Cluster a script may access one slot only, and entries survive a slot that moves.

use delay_queue::{Due, Fenced, LinkError, Replayed, Scheduled, Shard};
use testkit::redis::PrivateRedis;
use testkit::redis_cluster::PrivateCluster;
use testkit::suite::run_on_cluster;
use testkit::until;

use crate::environment::TestEnvironment;

#[tokio::test]
async fn every_script_stays_in_one_slot() {
    let server = PrivateRedis::start(&["--cluster-enabled", "yes"]);
    server.run(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("the cluster forms", async || {
        server
            .query::<String>(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
    })
    .await;
    let queue = TestEnvironment::at(server.url()).queue();
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

#[test]
fn every_test_of_the_queue_passes_on_three_nodes() {
    let modules = ["claims::", "parking::", "scheduling::", "worker::"];
    run_on_cluster(&modules, &["REDIS_GATE_URL"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moving_slot_loses_no_entry() {
    let cluster = tokio::task::block_in_place(|| PrivateCluster::start(3, 0));
    let environment = TestEnvironment::at(cluster.url());
    let queue = environment.queue();
    let shard = Shard::all()
        .find(|shard| cluster.primary_of(&environment.key(*shard, "due")) == 0)
        .expect("a shard for each node");
    let due = environment.key(shard, "due");
    let slot: u16 = cluster.node(0).query(&["CLUSTER", "KEYSLOT", &due]);
    let add = async |n: usize| {
        queue
            .schedule(shard, &format!("id{n}"), "body", Due::At(1))
            .await
    };
    for n in 0..200 {
        assert_eq!(add(n).await, Ok(Scheduled::New));
    }
    let moved = tokio::task::spawn_blocking(move || {
        cluster.move_slot(slot, 0, 1);
        cluster
    });
    // Every entry is scheduled again until the queue confirms it, as a caller does.
    let mut scheduled = 200;
    while scheduled < 400 {
        match add(scheduled).await {
            Ok(_) => scheduled += 1,
            Err(error) => assert!(matches!(error, LinkError::Unavailable(_)), "{error}"),
        }
    }
    let _cluster = moved.await.expect("the slot moves");
    let mut claimed = std::collections::BTreeSet::new();
    while claimed.len() < scheduled {
        let claims = queue
            .claim(&[shard], 1000, 600_000)
            .await
            .expect("answers")
            .claims;
        assert!(
            !claims.is_empty(),
            "{} of {scheduled} entries",
            claimed.len()
        );
        assert!(claims.iter().all(|claim| claim.body == "body"));
        claimed.extend(claims.into_iter().map(|claim| claim.id));
    }
}
