//! A stream is trimmed, but of nothing that some group needs.

use redis_streams::{Published, Publisher};

use crate::environment::{
    GROUP, TestEnvironment, await_entries, ids, next_numbers, numbers, settings,
};
use testkit::redis::PrivateRedis;

async fn publish(publisher: &Publisher, count: u32) {
    for n in 0..count {
        let published = publisher.publish(&[("n", &n.to_string())]).await;
        assert!(matches!(published, Ok(Published::At(_))), "{published:?}");
    }
}

#[tokio::test]
async fn without_groups_a_stream_stays_short() {
    let environment = TestEnvironment::open();
    publish(&environment.publisher(50, 1_000), 700).await;
    let length = environment.length().await;
    assert!((50..=250).contains(&length), "{length} entries");
}

#[tokio::test]
async fn trimming_spares_unacknowledged_and_undelivered_entries() {
    let environment = TestEnvironment::open();
    let publisher = environment.publisher(10, 10_000);
    let mut reader = environment.consumer_with(
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
    let held: Vec<(String, Vec<String>)> = environment
        .query(&["XRANGE", &environment.key(), "-", "+"])
        .await;
    let at = held
        .iter()
        .position(|(id, _)| *id == first[50].entry.id.to_string())
        .expect("the first unacknowledged entry is kept");
    assert_eq!(held.len() - at, 450, "and every later entry");
    assert!(
        at <= 100,
        "what all have acknowledged is gone but for a block: {at} of 50 are left"
    );

    // After all acknowledgements the stream is trimmed.
    reader.ack(&ids(&first[50..])).await.expect("Redis runs");
    for _ in 0..4 {
        let more = await_entries(&mut reader).await;
        reader.ack(&ids(&more)).await.expect("Redis runs");
    }
    publish(&publisher, 10).await;
    let length = environment.length().await;
    assert!(length <= 210, "{length} entries");
}

#[tokio::test]
async fn the_slowest_group_bounds_trimming() {
    let environment = TestEnvironment::open();
    let publisher = environment.publisher(10, 10_000);
    let mut fast = environment.consumer_with(
        "fast",
        redis_streams::GroupSettings {
            batch: 1_000,
            ..settings()
        },
    );
    let _: String = environment
        .query(&[
            "XGROUP",
            "CREATE",
            &environment.key(),
            "slow",
            "0",
            "MKSTREAM",
        ])
        .await;
    publish(&publisher, 300).await;
    let all = await_entries(&mut fast).await;
    fast.ack(&ids(&all)).await.expect("Redis runs");
    publish(&publisher, 100).await;
    assert_eq!(environment.length().await, 400);
    let _: u64 = environment
        .query(&["XGROUP", "DESTROY", &environment.key(), "slow"])
        .await;
    publish(&publisher, 1).await;
    assert!(environment.length().await < 400);
}

#[tokio::test]
async fn a_full_stream_refuses_entries_and_loses_none() {
    let environment = TestEnvironment::open();
    let publisher = environment.publisher(10, 300);
    // nothing it holds is old enough to come to it again, however slow the machine
    let idle = std::time::Duration::from_secs(60);
    let mut reader = environment.consumer_with(
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
                held_by: GROUP.to_owned()
            }
        );
    }
    assert_eq!(
        environment.length().await,
        300,
        "no entry was trimmed or added"
    );

    // The blocked read returned the first entries; the next reads return the rest.
    let mut rest = await_entries(&mut reader).await;
    while rest.len() < 299 {
        rest.extend(await_entries(&mut reader).await);
    }
    assert_eq!(numbers(&rest).len(), 299);
    reader.ack(&ids(&first)).await.expect("Redis runs");
    reader.ack(&ids(&rest)).await.expect("Redis runs");
    publish(&publisher, 50).await;
    assert!(environment.length().await < 300);
}

#[tokio::test]
async fn blocks_larger_than_the_surplus_are_trimmed() {
    let server = tokio::task::spawn_blocking(|| {
        PrivateRedis::start(&[
            "--stream-node-max-entries",
            "0",
            "--stream-node-max-bytes",
            "0",
        ])
    });
    let server = server.await.expect("starts");
    let environment = TestEnvironment::at(&server.url());
    publish(&environment.publisher(50, 400), 3_000).await;
    let length = environment.length().await;
    assert!((50..=350).contains(&length), "{length} entries");
}

#[tokio::test]
async fn a_full_redis_still_accepts_entries() {
    let server = tokio::task::spawn_blocking(|| {
        PrivateRedis::start(&["--maxmemory", "3mb", "--maxmemory-policy", "noeviction"])
    });
    let server = server.await.expect("starts");
    let environment = TestEnvironment::at(&server.url());
    let mut reader = environment.consumer("one");
    publish(&environment.publisher(10, 1_000), 1).await;
    let entries = await_entries(&mut reader).await;
    server.run(&["CONFIG", "SET", "maxmemory", "1mb"]);
    // Redis refuses other writes, but all operations of the stream work.
    let refused = redis::cmd("SET").arg("a").arg("b").exec(
        &mut redis::Client::open(server.url())
            .expect("an address")
            .get_connection()
            .expect("connects"),
    );
    assert!(refused.expect_err("full").to_string().contains("OOM"));
    let mut listener = environment.reader().await;
    publish(&environment.publisher(10, 1_000), 2).await;
    assert_eq!(next_numbers(&mut listener).await, [0, 1]);
    let parked = reader.park(&[(entries[0].entry.id, "odd")]).await;
    assert_eq!(parked, Ok(vec![true]));
    let more = await_entries(&mut reader).await;
    assert_eq!(reader.ack(&ids(&more)).await, Ok(2));
}
