//! Redis forgets the group, or is away: reading goes on.

use std::time::Duration;

use redis_streams::GroupSettings;
use tokio::time::Instant;

use crate::environment::{
    DEADLINE, GROUP, TestEnvironment, await_entries, ids, numbers, read, settings,
};
use testkit::redis::PrivateRedis;

/// Waits at the server without end, so that what happens, happens to a waiting read.
fn waiting() -> GroupSettings {
    GroupSettings {
        block: Duration::from_secs(60),
        idle: Duration::from_secs(600),
        ..settings()
    }
}

#[tokio::test]
async fn a_deleted_stream_is_read_from_its_new_start() {
    for ordered in [false, true] {
        let environment = TestEnvironment::open();
        let mut reader = environment.consumer_with(
            "one",
            GroupSettings {
                ordered,
                ..settings()
            },
        );
        environment.publish(0..2).await;
        let entries = await_entries(&mut reader).await;
        reader.ack(&ids(&entries)).await.expect("Redis runs");
        let _: u64 = environment.query(&["DEL", &environment.key()]).await;
        environment.publish(2..5).await;
        assert_eq!(
            numbers(&await_entries(&mut reader).await),
            [2, 3, 4],
            "ordered: {ordered}"
        );
        assert_eq!(reader.counts().recreated, 1);
    }
}

#[tokio::test]
async fn a_destroyed_group_restarts_at_the_oldest_entry() {
    for ordered in [false, true] {
        let environment = TestEnvironment::open();
        let mut reader = environment.consumer_with(
            "one",
            GroupSettings {
                ordered,
                ..settings()
            },
        );
        environment.publish(0..2).await;
        let entries = await_entries(&mut reader).await;
        reader.ack(&ids(&entries)).await.expect("Redis runs");
        let _: u64 = environment
            .query(&["XGROUP", "DESTROY", &environment.key(), GROUP])
            .await;
        environment.publish(2..3).await;
        assert_eq!(
            numbers(&await_entries(&mut reader).await),
            [0, 1, 2],
            "all entries again; ordered: {ordered}"
        );
    }
}

#[tokio::test]
async fn a_blocked_read_survives_a_deletion() {
    for ordered in [false, true] {
        let environment = TestEnvironment::open();
        let mut reader = environment.consumer_with(
            "one",
            GroupSettings {
                ordered,
                ..waiting()
            },
        );
        read(&mut reader).await;
        let deleting = async {
            let _: u64 = environment.query(&["DEL", &environment.key()]).await;
            environment.publish(0..2).await
        };
        let (entries, _) = tokio::join!(reader.next(Instant::now() + DEADLINE), deleting);
        assert_eq!(numbers(&entries)[0], 0, "ordered: {ordered}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn reading_continues_after_a_flush() {
    let server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url());
    let mut reader = environment.consumer("one");
    environment.publish(0..2).await;
    let entries = await_entries(&mut reader).await;
    server.run(&["FLUSHALL"]);
    server.run(&["SCRIPT", "FLUSH"]);
    // Operations on missing entries report it and change nothing.
    assert_eq!(reader.ack(&ids(&entries)).await, Ok(0));
    assert_eq!(reader.hold(&ids(&entries)).await, Ok(vec![false, false]));
    assert_eq!(
        reader.park(&[(entries[0].entry.id, "odd")]).await,
        Ok(vec![false])
    );
    assert_eq!(reader.leave().await, Ok(0));
    assert_eq!(
        reader.state().await,
        Ok(redis_streams::GroupState::default())
    );
    environment.publish(7..9).await;
    assert_eq!(numbers(&await_entries(&mut reader).await), [7, 8]);
    assert_eq!(reader.counts().recreated, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_continues_after_an_outage() {
    let mut server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url());
    let mut reader = environment.consumer_with("one", waiting());
    environment.publish(0..1).await;
    let entries = await_entries(&mut reader).await;
    reader.ack(&ids(&entries)).await.expect("Redis runs");
    server.run(&["SAVE"]);
    let reading = tokio::spawn(async move {
        let entries = reader.next(Instant::now() + DEADLINE).await;
        (numbers(&entries), reader.counts().recreated)
    });
    tokio::task::block_in_place(|| {
        server.kill();
        server.start_again();
    });
    environment.publish(1..2).await;
    assert_eq!(reading.await.expect("no panic"), (vec![1], 0));
}

#[tokio::test]
async fn a_restarted_consumer_continues_at_once() {
    let environment = TestEnvironment::open();
    environment.publish(0..3).await;
    let slow = || GroupSettings {
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut killed = environment.consumer_with("one", slow());
    let entries = await_entries(&mut killed).await;
    killed.ack(&ids(&entries[..1])).await.expect("Redis runs");
    drop(killed);
    let mut restarted = environment.consumer_with("one", slow());
    assert_eq!(restarted.return_earlier().await, Ok(2));
    let again = restarted.read_up_to(1, Duration::from_millis(50)).await;
    let again = again.expect("Redis runs");
    assert_eq!(numbers(&again), [1], "no more than requested");
    assert_eq!(again[0].deliveries, 2, "the delivery before counts");
    assert_eq!(numbers(&await_entries(&mut restarted).await), [2]);
    let mut nothing = environment.consumer_with("other", slow());
    assert_eq!(nothing.return_earlier().await, Ok(0));
}

#[tokio::test]
async fn a_restarted_consumer_reports_what_was_deleted_meanwhile() {
    let environment = TestEnvironment::open();
    let all = environment.publish(0..3).await;
    let mut killed = environment.consumer("one");
    await_entries(&mut killed).await;
    drop(killed);
    let key = environment.key();
    let _: u64 = environment.query(&["XTRIM", &key, "MAXLEN", "1"]).await;
    let mut restarted = environment.consumer("one");
    assert_eq!(restarted.return_earlier().await, Ok(1));
    assert_eq!(restarted.counts().lost, 2);
    let again = await_entries(&mut restarted).await;
    assert_eq!(ids(&again), all[2..]);
    assert_eq!(restarted.counts().lost, 2, "reported once");
}
