//! A reader reports a gap once and continues after it.

use std::time::{Duration, Instant};

use redis_streams::{BroadcastReader, Gap, Received};

use crate::environment::{DEADLINE, TestEnvironment, next, next_numbers};
use testkit::redis::PrivateRedis;

/// Expects the gap, and all entries after it.
async fn expect_gap(environment: &TestEnvironment, reader: &mut BroadcastReader, gap: Gap) {
    assert_eq!(next(reader).await, Received::Gap(gap));
    assert_eq!(
        next_numbers(reader).await,
        [0_u32; 0],
        "a gap is reported once"
    );
    environment.publish(900..903).await;
    assert_eq!(next_numbers(reader).await, [900, 901, 902]);
}

#[tokio::test]
async fn the_position_was_trimmed() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    environment.publish(0..10).await;
    assert_eq!(next_numbers(&mut reader).await.len(), 10);
    environment.publish(10..20).await;
    let _: u64 = environment
        .query(&["XTRIM", &environment.key(), "MAXLEN", "9"])
        .await;
    expect_gap(&environment, &mut reader, Gap::Missed).await;
}

#[tokio::test]
async fn everything_behind_the_position_was_trimmed() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    environment.publish(0..10).await;
    let _: u64 = environment
        .query(&["XTRIM", &environment.key(), "MAXLEN", "0"])
        .await;
    expect_gap(&environment, &mut reader, Gap::Missed).await;
}

#[tokio::test]
async fn one_entry_after_the_position_was_deleted() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    let ids = environment.publish(0..10).await;
    let _: u64 = environment
        .query(&["XDEL", &environment.key(), &ids[5].to_string()])
        .await;
    expect_gap(&environment, &mut reader, Gap::Missed).await;
}

#[tokio::test]
async fn unread_entries_were_trimmed() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    environment.publish(0..2_500).await;
    assert_eq!(next_numbers(&mut reader).await.len(), 1_000);
    let _: u64 = environment
        .query(&["XTRIM", &environment.key(), "MAXLEN", "1200"])
        .await;
    expect_gap(&environment, &mut reader, Gap::Missed).await;
}

#[tokio::test]
async fn the_stream_was_deleted() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    environment.publish(0..3).await;
    assert_eq!(next_numbers(&mut reader).await.len(), 3);
    let _: u64 = environment.query(&["DEL", &environment.key()]).await;
    expect_gap(&environment, &mut reader, Gap::Deleted).await;
}

#[tokio::test]
async fn the_stream_was_deleted_and_created_again() {
    // Whatever the count of the new stream, it does not match.
    for (before, after) in [(0, 1), (0, 2), (1, 1), (2, 1), (3, 3), (3, 7)] {
        let environment = TestEnvironment::open();
        let mut reader = environment.reader().await;
        environment.publish(0..before).await;
        assert_eq!(next_numbers(&mut reader).await.len() as u32, before);
        environment.publish(100..100 + before).await;
        let _: u64 = environment.query(&["DEL", &environment.key()]).await;
        // Within one millisecond the new stream could have the ids of the old one.
        tokio::time::sleep(Duration::from_millis(2)).await;
        environment.publish(200..200 + after).await;
        assert_eq!(
            next(&mut reader).await,
            Received::Gap(Gap::Missed),
            "{before} before, {after} after"
        );
        environment.publish(900..901).await;
        assert_eq!(next_numbers(&mut reader).await, [900]);
    }
}

#[tokio::test]
async fn the_stream_was_created_again_by_a_reader() {
    // The reader finds as many entries as it had received, none or some.
    for (received_before, after) in [(0, 0), (0, 3), (2, 0), (2, 2)] {
        let environment = TestEnvironment::open();
        let mut reader = environment.reader().await;
        environment.publish(0..received_before).await;
        assert_eq!(
            next_numbers(&mut reader).await.len() as u32,
            received_before
        );
        environment.publish(100..101).await;
        let _: u64 = environment.query(&["DEL", &environment.key()]).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let _other = environment.reader().await;
        environment.publish(200..200 + after).await;
        assert_eq!(
            next(&mut reader).await,
            Received::Gap(Gap::Missed),
            "{received_before} before, {after} after"
        );
    }
}

#[tokio::test]
async fn the_stream_ends_before_the_position() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    environment.publish(0..3).await;
    assert_eq!(next_numbers(&mut reader).await.len(), 3);
    let _: u64 = environment.query(&["DEL", &environment.key()]).await;
    let _: String = environment
        .query(&["XADD", &environment.key(), "5-1", "n", "1"])
        .await;
    assert_eq!(next(&mut reader).await, Received::Gap(Gap::WentBack));
    assert_eq!(next_numbers(&mut reader).await, [0_u32; 0]);
    let _: String = environment
        .query(&["XADD", &environment.key(), "5-2", "n", "2"])
        .await;
    assert_eq!(next_numbers(&mut reader).await, [2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_server_was_restarted_or_lost_its_data() {
    let mut server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url());
    for keeps_data in [true, false] {
        let mut reader = environment.reader().await;
        environment.publish(0..3).await;
        assert_eq!(next_numbers(&mut reader).await.len(), 3);
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
        let deadline = Instant::now() + DEADLINE;
        let gap = loop {
            match reader.next(Duration::from_millis(50)).await {
                Ok(received) => break received,
                // The connection ended with the server; the next call reconnects.
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
        };
        assert_eq!(
            gap,
            Received::Gap(Gap::ServerChanged),
            "keeps data: {keeps_data}"
        );
        environment.publish(5..6).await;
        assert_eq!(next_numbers(&mut reader).await, [5]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn reading_fails_in_time_during_an_outage() {
    let mut server = tokio::task::block_in_place(|| PrivateRedis::start(&[]));
    let environment = TestEnvironment::at(&server.url());
    let mut reader = environment.reader().await;
    server.kill();
    for _ in 0..3 {
        reader
            .next(Duration::from_millis(10))
            .await
            .expect_err("the server is down");
    }
    BroadcastReader::open(environment.link.clone(), &environment.key())
        .await
        .expect_err("no position, no reader");
}
