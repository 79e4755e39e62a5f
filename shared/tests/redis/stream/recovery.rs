//! Redis forgets the group, or is away: reading goes on.

use std::time::Duration;

use redis_streams::GroupSettings;
use tokio::time::Instant;

use super::stage::{PATIENCE, Streams, await_entries, ids, numbers, read, settings};
use crate::private::Private;

/// Waits at the server without end, so that what happens, happens to a waiting read.
fn waiting() -> GroupSettings {
    GroupSettings {
        block: Duration::from_secs(60),
        idle: Duration::from_secs(600),
        ..settings()
    }
}

#[tokio::test]
async fn a_deleted_stream_is_read_on_from_its_new_beginning() {
    for ordered in [false, true] {
        let streams = Streams::open();
        let mut reader = streams.consumer_with(
            "one",
            GroupSettings {
                ordered,
                ..settings()
            },
        );
        streams.publish(0..2).await;
        let entries = await_entries(&mut reader).await;
        reader.ack(&ids(&entries)).await.expect("Redis runs");
        let _: u64 = streams.ask(&["DEL", &streams.key()]).await;
        streams.publish(2..5).await;
        assert_eq!(
            numbers(&await_entries(&mut reader).await),
            [2, 3, 4],
            "ordered: {ordered}"
        );
        assert_eq!(reader.counts().recreated, 1);
    }
}

#[tokio::test]
async fn a_destroyed_group_begins_anew_at_the_oldest_entry() {
    for ordered in [false, true] {
        let streams = Streams::open();
        let mut reader = streams.consumer_with(
            "one",
            GroupSettings {
                ordered,
                ..settings()
            },
        );
        streams.publish(0..2).await;
        let entries = await_entries(&mut reader).await;
        reader.ack(&ids(&entries)).await.expect("Redis runs");
        let _: u64 = streams
            .ask(&["XGROUP", "DESTROY", &streams.key(), &streams.group_name()])
            .await;
        streams.publish(2..3).await;
        assert_eq!(
            numbers(&await_entries(&mut reader).await),
            [0, 1, 2],
            "nobody knows what was handled; ordered: {ordered}"
        );
    }
}

#[tokio::test]
async fn a_read_that_waits_while_its_stream_is_deleted_goes_on() {
    for ordered in [false, true] {
        let streams = Streams::open();
        let mut reader = streams.consumer_with(
            "one",
            GroupSettings {
                ordered,
                ..waiting()
            },
        );
        read(&mut reader).await;
        let deleting = async {
            let _: u64 = streams.ask(&["DEL", &streams.key()]).await;
            streams.publish(0..2).await
        };
        let (entries, _) = tokio::join!(reader.next(Instant::now() + PATIENCE), deleting);
        assert_eq!(numbers(&entries)[0], 0, "ordered: {ordered}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn everything_is_flushed_and_reading_goes_on() {
    let server = tokio::task::block_in_place(|| Private::start(&[]));
    let streams = Streams::at(&server.url());
    let mut reader = streams.consumer("one");
    streams.publish(0..2).await;
    let entries = await_entries(&mut reader).await;
    server.run(&["FLUSHALL"]);
    server.run(&["SCRIPT", "FLUSH"]);
    // Verbs on what is gone say so and harm nothing.
    assert_eq!(reader.ack(&ids(&entries)).await, Ok(0));
    assert_eq!(reader.hold(&ids(&entries)).await, Ok(vec![false, false]));
    assert_eq!(
        reader
            .park(&[(entries[0].entry.id, lambda_batch::Reason::new("odd"))])
            .await,
        Ok(vec![false])
    );
    assert_eq!(reader.leave().await, Ok(0));
    assert_eq!(
        reader.state().await,
        Ok(redis_streams::GroupState::default())
    );
    streams.publish(7..9).await;
    assert_eq!(numbers(&await_entries(&mut reader).await), [7, 8]);
    assert_eq!(reader.counts().recreated, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_for_a_while_ends_no_subscription() {
    let mut server = tokio::task::block_in_place(|| Private::start(&[]));
    let streams = Streams::at(&server.url());
    let mut reader = streams.consumer_with("one", waiting());
    streams.publish(0..1).await;
    let entries = await_entries(&mut reader).await;
    reader.ack(&ids(&entries)).await.expect("Redis runs");
    server.run(&["SAVE"]);
    let reading = tokio::spawn(async move {
        let entries = reader.next(Instant::now() + PATIENCE).await;
        (numbers(&entries), reader.counts().recreated)
    });
    tokio::task::block_in_place(|| {
        server.kill();
        server.start_again();
    });
    streams.publish(1..2).await;
    assert_eq!(reading.await.expect("no panic"), (vec![1], 0));
}
