//! A listener that may have missed something is told, once, and goes on from there.

use std::time::{Duration, Instant};

use redis_streams::{BroadcastReader, Gap, Received};

use super::stage::{PATIENCE, Streams, hear, heard};
use crate::private::Private;

/// The gap is told, and from there on everything is heard again.
async fn told(streams: &Streams, listener: &mut BroadcastReader, gap: Gap) {
    assert_eq!(hear(listener).await, Received::Gap(gap));
    assert_eq!(heard(listener).await, [0_u32; 0], "told once");
    streams.publish(900..903).await;
    assert_eq!(heard(listener).await, [900, 901, 902]);
}

#[tokio::test]
async fn its_position_was_trimmed_away() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    streams.publish(0..10).await;
    assert_eq!(heard(&mut listener).await.len(), 10);
    streams.publish(10..20).await;
    let _: u64 = streams.ask(&["XTRIM", &streams.key(), "MAXLEN", "9"]).await;
    told(&streams, &mut listener, Gap::Missed).await;
}

#[tokio::test]
async fn everything_behind_its_position_was_trimmed_away() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    streams.publish(0..10).await;
    let _: u64 = streams.ask(&["XTRIM", &streams.key(), "MAXLEN", "0"]).await;
    told(&streams, &mut listener, Gap::Missed).await;
}

#[tokio::test]
async fn a_single_entry_behind_its_position_was_deleted() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    let ids = streams.publish(0..10).await;
    let _: u64 = streams
        .ask(&["XDEL", &streams.key(), &ids[5].to_string()])
        .await;
    told(&streams, &mut listener, Gap::Missed).await;
}

#[tokio::test]
async fn what_it_was_still_to_read_was_trimmed_while_it_caught_up() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    streams.publish(0..2_500).await;
    assert_eq!(heard(&mut listener).await.len(), 1_000);
    let _: u64 = streams
        .ask(&["XTRIM", &streams.key(), "MAXLEN", "1200"])
        .await;
    told(&streams, &mut listener, Gap::Missed).await;
}

#[tokio::test]
async fn the_stream_was_deleted() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    streams.publish(0..3).await;
    assert_eq!(heard(&mut listener).await.len(), 3);
    let _: u64 = streams.ask(&["DEL", &streams.key()]).await;
    told(&streams, &mut listener, Gap::Deleted).await;
}

#[tokio::test]
async fn the_stream_was_deleted_and_made_anew_with_any_number_of_entries() {
    // Whatever the count of the new stream, it does not add up.
    for (before, after) in [(0, 1), (0, 2), (1, 1), (2, 1), (3, 3), (3, 7)] {
        let streams = Streams::open();
        let mut listener = streams.listener().await;
        streams.publish(0..before).await;
        assert_eq!(heard(&mut listener).await.len() as u32, before);
        streams.publish(100..100 + before).await;
        let _: u64 = streams.ask(&["DEL", &streams.key()]).await;
        // Within the same millisecond the ids of the new stream may be those of the old, which nobody could tell apart.
        tokio::time::sleep(Duration::from_millis(2)).await;
        streams.publish(200..200 + after).await;
        assert_eq!(
            hear(&mut listener).await,
            Received::Gap(Gap::Missed),
            "{before} before, {after} after"
        );
        streams.publish(900..901).await;
        assert_eq!(heard(&mut listener).await, [900]);
    }
}

#[tokio::test]
async fn the_stream_was_deleted_and_opened_anew_by_another_reader() {
    // It stood still meanwhile, and finds as many entries as it had heard, none or some.
    for (heard_before, after) in [(0, 0), (0, 3), (2, 0), (2, 2)] {
        let streams = Streams::open();
        let mut listener = streams.listener().await;
        streams.publish(0..heard_before).await;
        assert_eq!(heard(&mut listener).await.len() as u32, heard_before);
        streams.publish(100..101).await;
        let _: u64 = streams.ask(&["DEL", &streams.key()]).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let _other = streams.listener().await;
        streams.publish(200..200 + after).await;
        assert_eq!(
            hear(&mut listener).await,
            Received::Gap(Gap::Missed),
            "{heard_before} before, {after} after"
        );
    }
}

#[tokio::test]
async fn the_stream_ends_before_its_position() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    streams.publish(0..3).await;
    assert_eq!(heard(&mut listener).await.len(), 3);
    let _: u64 = streams.ask(&["DEL", &streams.key()]).await;
    let _: String = streams
        .ask(&["XADD", &streams.key(), "5-1", "n", "1"])
        .await;
    assert_eq!(hear(&mut listener).await, Received::Gap(Gap::WentBack));
    assert_eq!(heard(&mut listener).await, [0_u32; 0]);
    let _: String = streams
        .ask(&["XADD", &streams.key(), "5-2", "n", "2"])
        .await;
    assert_eq!(heard(&mut listener).await, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_server_was_restarted_or_lost_its_data() {
    let mut server = tokio::task::block_in_place(|| Private::start(&[]));
    let streams = Streams::at(&server.url());
    for keeps_data in [true, false] {
        let mut listener = streams.listener().await;
        streams.publish(0..3).await;
        assert_eq!(heard(&mut listener).await.len(), 3);
        tokio::task::block_in_place(|| {
            if keeps_data {
                server.restart();
            } else {
                server.kill();
                std::fs::remove_file(server.file("dump.rdb"))
                    .expect("a dump of the restart before");
                server.start_again();
            }
        });
        let deadline = Instant::now() + PATIENCE;
        let gap = loop {
            match listener.next(Duration::from_millis(50)).await {
                Ok(heard) => break heard,
                // The connection died with the server; the next call makes another.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        assert_eq!(
            gap,
            Received::Gap(Gap::ServerChanged),
            "keeps data: {keeps_data}"
        );
        streams.publish(5..6).await;
        assert_eq!(heard(&mut listener).await, [5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn while_the_server_is_away_reading_fails_in_bounded_time() {
    let mut server = tokio::task::block_in_place(|| Private::start(&[]));
    let streams = Streams::at(&server.url());
    let mut listener = streams.listener().await;
    server.kill();
    for _ in 0..3 {
        listener
            .next(Duration::from_millis(10))
            .await
            .expect_err("the server is away");
    }
    BroadcastReader::open(streams.link.clone(), &streams.key())
        .await
        .expect_err("no position, no listener");
}
