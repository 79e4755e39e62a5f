//! Every listener hears everything from the moment it opened, and is told when it may not have.

use std::time::Duration;

use super::stage::{Streams, hear, heard};
use redis_streams::Received;

#[tokio::test]
async fn everything_is_heard_from_the_moment_it_opened_and_nothing_from_before() {
    let streams = Streams::open();
    streams.publish(0..3).await;
    let mut first = streams.listener().await;
    // Nothing was read yet: the position was fixed when it opened.
    streams.publish(3..5).await;
    let mut second = streams.listener().await;
    streams.publish(5..8).await;
    assert_eq!(heard(&mut first).await, [3, 4, 5, 6, 7]);
    assert_eq!(heard(&mut second).await, [5, 6, 7]);
    assert_eq!(heard(&mut first).await, [0_u32; 0], "nothing came in time");
    streams.publish(8..9).await;
    assert_eq!(heard(&mut first).await, [8]);
    assert_eq!(heard(&mut second).await, [8]);
}

#[tokio::test]
async fn a_stream_that_does_not_exist_yet_is_listened_to() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    assert_eq!(heard(&mut listener).await, [0_u32; 0]);
    streams.publish(0..2).await;
    assert_eq!(heard(&mut listener).await, [0, 1]);
}

#[tokio::test]
async fn a_waiting_listener_is_woken_by_what_comes() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    let waiting = tokio::spawn(async move { listener.next(Duration::from_secs(60)).await });
    streams.publish(0..1).await;
    let Ok(Ok(Received::Entries(entries))) = waiting.await else {
        panic!("not woken")
    };
    assert_eq!(entries.len(), 1);
}

#[tokio::test]
async fn more_than_one_answer_holds_is_heard_in_order_and_whole() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    streams.publish(0..2_500).await;
    let mut all = Vec::new();
    while all.len() < 2_500 {
        let more = heard(&mut listener).await;
        assert!(!more.is_empty());
        all.extend(more);
    }
    assert_eq!(all, (0..2_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn trimming_what_was_heard_is_no_gap() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    for round in 0..3 {
        streams.publish(round * 300..(round + 1) * 300).await;
        assert_eq!(heard(&mut listener).await.len(), 300);
        let _: u64 = streams.ask(&["XTRIM", &streams.key(), "MAXLEN", "0"]).await;
        assert_eq!(hear(&mut listener).await, Received::Entries(vec![]));
    }
    streams.publish(0..5).await;
    assert_eq!(heard(&mut listener).await.len(), 5);
}

#[tokio::test]
async fn a_listener_that_is_abandoned_while_it_waits_loses_nothing() {
    let streams = Streams::open();
    let mut listener = streams.listener().await;
    for n in 0..20_u64 {
        // Given up at any point of the read, from before it began to its end.
        let _ = tokio::time::timeout(
            Duration::from_micros(n * 100),
            listener.next(Duration::from_secs(60)),
        )
        .await;
    }
    let mut all = Vec::new();
    let publishing = streams.publish(0..50);
    tokio::join!(publishing, async {
        while all.len() < 50 {
            match tokio::time::timeout(
                Duration::from_millis(3),
                listener.next(Duration::from_secs(60)),
            )
            .await
            {
                Ok(Ok(Received::Entries(entries))) => {
                    all.extend(entries.iter().map(super::stage::number));
                }
                Ok(other) => panic!("{other:?}"),
                Err(_abandoned) => {}
            }
        }
    });
    assert_eq!(all, (0..50).collect::<Vec<_>>());
}
