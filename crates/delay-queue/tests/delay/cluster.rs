//! On Redis Cluster a script may access one slot only.

use delay_queue::{Due, Fenced, Replayed, Scheduled, Shard};
use testkit::redis::PrivateRedis;
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
