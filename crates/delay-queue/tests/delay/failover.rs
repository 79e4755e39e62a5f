//! The address leads to another server, or a connection falls silent.

use std::time::Duration;

use delay_queue::{DelayQueue, Due, Link, LinkError, Shard};
use testkit::redis::PrivateRedis;
use testkit::refusing::refusing_redis;
use testkit::relay::Relay;

const LATER: Due = Due::In(3_600_000);

/// Short, so that a silent connection is detected early; long enough for a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// A primary behind a relay, and the server that replaces it.
pub(crate) struct FailoverPair {
    pub(crate) old: PrivateRedis,
    pub(crate) new: PrivateRedis,
    pub(crate) relay: Relay,
    pub(crate) prefix: String,
}

impl FailoverPair {
    pub(crate) async fn start() -> Self {
        let (old, new) =
            tokio::task::block_in_place(|| (PrivateRedis::start(&[]), PrivateRedis::start(&[])));
        let relay = Relay::start(old.port()).await;
        Self {
            old,
            new,
            relay,
            prefix: testkit::prefix(),
        }
    }

    pub(crate) fn queue(&self) -> DelayQueue {
        let url = format!("redis://127.0.0.1:{}", self.relay.port());
        let link = Link::open(&url, TIMEOUT).expect("a usable address");
        DelayQueue::new(link, &self.prefix, "jobs").expect("a valid name")
    }

    /// The address leads to the new server. The old one becomes its replica and keeps its
    /// connections.
    fn fail_over(&self) {
        self.relay.redirect(self.new.port());
        let port = self.new.port().to_string();
        tokio::task::block_in_place(|| self.old.run(&["REPLICAOF", "127.0.0.1", &port]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_reconnects_from_a_replica() {
    let pair = FailoverPair::start().await;
    let queue = pair.queue();
    queue
        .schedule(Shard::of_id("a"), "a", "x", LATER)
        .await
        .expect("answers");
    pair.fail_over();
    // The server refuses the whole command, so the link repeats it on the new connection.
    queue
        .schedule(Shard::of_id("b"), "b", "x", LATER)
        .await
        .expect("the new server takes it");
    // One script for each shard, in one round trip.
    let shards: Vec<_> = Shard::all().collect();
    assert!(
        queue
            .claim(&shards, 10, 1000)
            .await
            .expect("answers")
            .claims
            .is_empty()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unusable_server_is_replaced() {
    for refusal in [
        "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down",
        "ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't write",
    ] {
        let pair = FailoverPair::start().await;
        let refusing_port = refusing_redis(refusal).await;
        pair.relay.redirect(refusing_port);
        let queue = pair.queue();
        let refused = queue.schedule(Shard::of_id("a"), "a", "x", LATER).await;
        assert!(
            matches!(refused, Err(LinkError::Unavailable(_))),
            "{refusal}: {refused:?}"
        );
        pair.relay.redirect(pair.new.port());
        queue
            .schedule(Shard::of_id("a"), "a", "x", LATER)
            .await
            .unwrap_or_else(|error| panic!("{refusal}: {error}"));
    }
}
