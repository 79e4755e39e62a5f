//! Readers whose server is replaced, or falls silent.

use std::time::{Duration, Instant};

use redis_streams::{
    Bounds, BroadcastReader, GroupReader, GroupSettings, Link, LinkError, Publisher, Received,
};

use crate::environment::{DEADLINE, settings};
use testkit::redis::PrivateRedis;
use testkit::relay::Relay;

const STREAM: &str = "{things}";
/// Short, so that a silent connection is detected early; long enough for a busy machine.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A primary behind a relay, and the server that replaces it.
struct FailoverPair {
    old: PrivateRedis,
    new: PrivateRedis,
    relay: Relay,
}

impl FailoverPair {
    async fn start() -> Self {
        let (old, new) =
            tokio::task::block_in_place(|| (PrivateRedis::start(&[]), PrivateRedis::start(&[])));
        let relay = Relay::start(old.port()).await;
        Self { old, new, relay }
    }

    fn link(&self) -> Link {
        let url = format!("redis://127.0.0.1:{}", self.relay.port());
        Link::open(&url, TIMEOUT).expect("a usable address")
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
async fn readers_follow_to_the_new_server() {
    for silent in [false, true] {
        for ordered in [false, true] {
            let pair = FailoverPair::start().await;
            let reading = GroupSettings {
                ordered,
                ..settings()
            };
            let mut group = GroupReader::open(pair.link(), STREAM, "workers", "one", reading);
            let mut all = BroadcastReader::open(pair.link(), STREAM)
                .await
                .expect("Redis runs");
            let block = Duration::from_millis(50);
            group.read(block).await.expect("Redis runs");
            let received = all.next(block).await.expect("Redis runs");
            assert!(matches!(received, Received::Entries(entries) if entries.is_empty()));
            let live = if silent { &pair.old } else { &pair.new };
            if silent {
                pair.relay.silence().await;
            } else {
                pair.fail_over();
            }
            let elsewhere = Link::open(&live.url(), TIMEOUT).expect("a usable address");
            let publisher = Publisher::new(
                elsewhere,
                STREAM,
                Bounds::new(1_000, 10_000).expect("valid"),
            );
            let _ = publisher.publish(&[("n", "1")]).await.expect("published");
            let deadline = tokio::time::Instant::now() + DEADLINE;
            assert_eq!(
                group.next(deadline).await.len(),
                1,
                "silent: {silent}, ordered: {ordered}"
            );
            // The reader returns nothing, then a gap or the new entry.
            loop {
                match all.next(block).await {
                    Ok(Received::Entries(entries)) if entries.is_empty() => {}
                    Ok(_) => break,
                    Err(error) => assert!(tokio::time::Instant::now() < deadline, "{error}"),
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demotion_is_not_a_lost_stream() {
    let pair = FailoverPair::start().await;
    let mut group = GroupReader::open(pair.link(), STREAM, "workers", "one", settings());
    group
        .read(Duration::from_millis(1))
        .await
        .expect("Redis runs");
    // The group exists on the new server as well.
    let elsewhere = Link::open(&pair.new.url(), TIMEOUT).expect("a usable address");
    GroupReader::open(elsewhere, STREAM, "workers", "two", settings())
        .read(Duration::from_millis(1))
        .await
        .expect("Redis runs");
    let blocked = tokio::spawn(async move { (group.read(DEADLINE).await, group) });
    let clients = || tokio::task::block_in_place(|| pair.old.query::<String>(&["INFO", "clients"]));
    let deadline = Instant::now() + DEADLINE;
    while !clients().contains("blocked_clients:1") {
        assert!(Instant::now() < deadline, "the read does not block");
    }
    pair.fail_over();
    let (ended, mut group) = blocked.await.expect("no panic");
    assert!(matches!(ended, Err(LinkError::Unavailable(_))), "{ended:?}");
    group
        .read(Duration::from_millis(1))
        .await
        .expect("the new server answers");
    assert_eq!(group.counts().recreated, 0);
}
