//! Readers whose server is replaced, or falls silent.

use std::time::{Duration, Instant};

use redis_link::Link;
use redis_streams::{
    Bounds, BroadcastReader, GroupReader, GroupSettings, LinkError, Publisher, Received,
};

use super::stage::{PATIENCE, settings};
use crate::failover::{Pair, TIMEOUT};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_streams_follow_to_the_new_server() {
    for silent in [false, true] {
        for ordered in [false, true] {
            let pair = Pair::start().await;
            let reading = GroupSettings {
                ordered,
                ..settings()
            };
            let mut group = GroupReader::open(
                pair.link(),
                &pair.names.stream("things"),
                "workers",
                "one",
                reading,
            );
            let mut all = BroadcastReader::open(pair.link(), &pair.names.stream("things"))
                .await
                .expect("Redis runs");
            let block = Duration::from_millis(50);
            group.read(block).await.expect("Redis runs");
            let heard = all.next(block).await.expect("Redis runs");
            assert!(matches!(heard, Received::Entries(entries) if entries.is_empty()));
            let live = if silent { &pair.old } else { &pair.new };
            if silent {
                pair.relay.silence();
            } else {
                pair.fail_over();
            }
            let elsewhere = Link::open(&live.url(), TIMEOUT).expect("a usable address");
            let publisher = Publisher::new(
                elsewhere,
                &pair.names.stream("things"),
                Bounds::new(1_000, 10_000).expect("valid"),
            );
            let _ = publisher.publish(&[("n", "1")]).await.expect("published");
            let deadline = tokio::time::Instant::now() + PATIENCE;
            assert_eq!(
                group.next(deadline).await.len(),
                1,
                "silent: {silent}, ordered: {ordered}"
            );
            // Nothing is heard until it is known that something may have been missed, or what was added is heard.
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
async fn a_blocked_reader_takes_a_demotion_for_no_loss() {
    let pair = Pair::start().await;
    let mut group = GroupReader::open(
        pair.link(),
        &pair.names.stream("things"),
        "workers",
        "one",
        settings(),
    );
    group
        .read(Duration::from_millis(1))
        .await
        .expect("Redis runs");
    // The group is on the new server as well, so that nothing of it is lost.
    let elsewhere = Link::open(&pair.new.url(), TIMEOUT).expect("a usable address");
    GroupReader::open(
        elsewhere,
        &pair.names.stream("things"),
        "workers",
        "two",
        settings(),
    )
    .read(Duration::from_millis(1))
    .await
    .expect("Redis runs");
    let blocked = tokio::spawn(async move { (group.read(PATIENCE).await, group) });
    let clients = || tokio::task::block_in_place(|| pair.old.ask::<String>(&["INFO", "clients"]));
    let deadline = Instant::now() + PATIENCE;
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
