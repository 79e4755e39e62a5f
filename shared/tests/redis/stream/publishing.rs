//! A stream is trimmed, but of nothing that some group needs.

use redis_streams::{Published, Publisher};

use super::stage::{Streams, await_entries, ids, numbers, settings};
use crate::private::Private;

async fn publish(publisher: &Publisher, count: u32) {
    for n in 0..count {
        let published = publisher.publish(&[("n", &n.to_string())]).await;
        assert!(matches!(published, Ok(Published::At(_))), "{published:?}");
    }
}

#[tokio::test]
async fn without_groups_a_stream_is_kept_short() {
    let streams = Streams::open();
    publish(&streams.publisher(50, 1_000), 700).await;
    let length = streams.length().await;
    assert!((50..=250).contains(&length), "{length} entries");
}

#[tokio::test]
async fn trimming_spares_what_is_unacknowledged_and_what_is_undelivered() {
    let streams = Streams::open();
    let publisher = streams.publisher(10, 10_000);
    let mut reader = streams.consumer_with(
        "one",
        redis_streams::GroupSettings {
            batch: 100,
            ..settings()
        },
    );
    publish(&publisher, 100).await;
    let first = await_entries(&mut reader).await;
    assert_eq!(first.len(), 100);
    reader.ack(&ids(&first[..50])).await.expect("Redis runs");
    publish(&publisher, 400).await;
    let held: Vec<(String, Vec<String>)> = streams.ask(&["XRANGE", &streams.key(), "-", "+"]).await;
    let at = held
        .iter()
        .position(|(id, _)| *id == first[50].entry.id.to_string())
        .expect("the first unacknowledged entry is there");
    assert_eq!(held.len() - at, 450, "and everything behind it");
    assert!(
        at <= 100,
        "what all have acknowledged is gone but for a block: {at} of 50 are left"
    );

    // Once all is acknowledged nothing holds it back.
    reader.ack(&ids(&first[50..])).await.expect("Redis runs");
    for _ in 0..4 {
        let more = await_entries(&mut reader).await;
        reader.ack(&ids(&more)).await.expect("Redis runs");
    }
    publish(&publisher, 10).await;
    let length = streams.length().await;
    assert!(length <= 210, "{length} entries");
}

#[tokio::test]
async fn the_group_that_is_furthest_behind_decides() {
    let streams = Streams::open();
    let publisher = streams.publisher(10, 10_000);
    let mut fast = streams.consumer_with(
        "fast",
        redis_streams::GroupSettings {
            batch: 1_000,
            ..settings()
        },
    );
    let _: String = streams
        .ask(&["XGROUP", "CREATE", &streams.key(), "slow", "0", "MKSTREAM"])
        .await;
    publish(&publisher, 300).await;
    let all = await_entries(&mut fast).await;
    fast.ack(&ids(&all)).await.expect("Redis runs");
    publish(&publisher, 100).await;
    assert_eq!(streams.length().await, 400);
    let _: u64 = streams
        .ask(&["XGROUP", "DESTROY", &streams.key(), "slow"])
        .await;
    publish(&publisher, 1).await;
    assert!(streams.length().await < 400);
}

#[tokio::test]
async fn a_stream_that_nobody_reads_on_is_full_at_its_cap_says_who_and_loses_nothing() {
    let streams = Streams::open();
    let publisher = streams.publisher(10, 300);
    // nothing it holds is old enough to come to it again, however slow the machine
    let idle = std::time::Duration::from_secs(60);
    let mut reader = streams.consumer_with(
        "one",
        redis_streams::GroupSettings {
            batch: 1_000,
            idle,
            ..settings()
        },
    );
    publish(&publisher, 1).await;
    let first = await_entries(&mut reader).await;
    publish(&publisher, 299).await;
    for _ in 0..3 {
        let published = publisher
            .publish(&[("n", "too many")])
            .await
            .expect("Redis runs");
        assert_eq!(
            published,
            Published::Full {
                entries: 300,
                held_by: streams.group_name()
            }
        );
    }
    assert_eq!(
        streams.length().await,
        300,
        "nothing was trimmed, nothing was added"
    );

    // A read that was waiting took what came first: the rest comes with the next ones.
    let mut rest = await_entries(&mut reader).await;
    while rest.len() < 299 {
        rest.extend(await_entries(&mut reader).await);
    }
    assert_eq!(numbers(&rest).len(), 299);
    reader.ack(&ids(&first)).await.expect("Redis runs");
    reader.ack(&ids(&rest)).await.expect("Redis runs");
    publish(&publisher, 50).await;
    assert!(streams.length().await < 300);
}

#[tokio::test]
async fn blocks_larger_than_what_is_to_go_are_trimmed_all_the_same() {
    let server = tokio::task::spawn_blocking(|| {
        Private::start(&[
            "--stream-node-max-entries",
            "0",
            "--stream-node-max-bytes",
            "0",
        ])
    });
    let server = server.await.expect("starts");
    let streams = Streams::at(&server.url());
    publish(&streams.publisher(50, 400), 3_000).await;
    let length = streams.length().await;
    assert!((50..=350).contains(&length), "{length} entries");
}

#[tokio::test]
async fn news_gets_through_a_redis_that_is_out_of_memory() {
    let server = tokio::task::spawn_blocking(|| {
        Private::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"])
    });
    let server = server.await.expect("starts");
    let streams = Streams::at(&server.url());
    let mut reader = streams.consumer("one");
    publish(&streams.publisher(10, 1_000), 1).await;
    let entries = await_entries(&mut reader).await;
    server.run(&["CONFIG", "SET", "maxmemory", "1mb"]);
    // Nothing that adds data is taken, but the stream goes on: published, acknowledged, set aside, listened to.
    let refused = redis::cmd("SET").arg("a").arg("b").exec(
        &mut redis::Client::open(server.url())
            .expect("an address")
            .get_connection()
            .expect("connects"),
    );
    assert!(refused.expect_err("full").to_string().contains("OOM"));
    let mut listener = streams.listener().await;
    publish(&streams.publisher(10, 1_000), 2).await;
    assert_eq!(super::stage::heard(&mut listener).await, [0, 1]);
    let parked = reader
        .park(&[(entries[0].entry.id, lambda_batch::Reason::new("odd"))])
        .await;
    assert_eq!(parked, Ok(vec![true]));
    let more = await_entries(&mut reader).await;
    assert_eq!(reader.ack(&ids(&more)).await, Ok(2));
}
