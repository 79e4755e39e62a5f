//! Every reader receives every entry since it opened.

use std::time::Duration;

use crate::environment::{TestEnvironment, next, next_numbers, number};
use redis_streams::Received;

#[tokio::test]
async fn a_reader_receives_entries_since_it_opened() {
    let environment = TestEnvironment::open();
    environment.publish(0..3).await;
    let mut first = environment.reader().await;
    // The position was fixed when the reader opened.
    environment.publish(3..5).await;
    let mut second = environment.reader().await;
    environment.publish(5..8).await;
    assert_eq!(next_numbers(&mut first).await, [3, 4, 5, 6, 7]);
    assert_eq!(next_numbers(&mut second).await, [5, 6, 7]);
    assert_eq!(
        next_numbers(&mut first).await,
        [0_u32; 0],
        "no entry arrived in time"
    );
    environment.publish(8..9).await;
    assert_eq!(next_numbers(&mut first).await, [8]);
    assert_eq!(next_numbers(&mut second).await, [8]);
}

#[tokio::test]
async fn a_missing_stream_can_be_followed() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    assert_eq!(next_numbers(&mut reader).await, [0_u32; 0]);
    environment.publish(0..2).await;
    assert_eq!(next_numbers(&mut reader).await, [0, 1]);
}

#[tokio::test]
async fn a_new_entry_wakes_a_reader() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    let waiting = tokio::spawn(async move { reader.next(Duration::from_secs(60)).await });
    environment.publish(0..1).await;
    let Ok(Ok(Received::Entries(entries))) = waiting.await else {
        panic!("not woken")
    };
    assert_eq!(entries.len(), 1);
}

#[tokio::test]
async fn many_entries_arrive_in_order() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    environment.publish(0..2_500).await;
    let mut all = Vec::new();
    while all.len() < 2_500 {
        let more = next_numbers(&mut reader).await;
        assert!(!more.is_empty());
        all.extend(more);
    }
    assert_eq!(all, (0..2_500).collect::<Vec<_>>());
}

#[tokio::test]
async fn trimming_received_entries_is_no_gap() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    for round in 0..3 {
        environment.publish(round * 300..(round + 1) * 300).await;
        assert_eq!(next_numbers(&mut reader).await.len(), 300);
        let _: u64 = environment
            .query(&["XTRIM", &environment.key(), "MAXLEN", "0"])
            .await;
        assert_eq!(next(&mut reader).await, Received::Entries(vec![]));
    }
    environment.publish(0..5).await;
    assert_eq!(next_numbers(&mut reader).await.len(), 5);
}

#[tokio::test]
async fn a_dropped_read_of_a_reader_loses_no_entry() {
    let environment = TestEnvironment::open();
    let mut reader = environment.reader().await;
    for n in 0..20_u64 {
        // Given up at any point of the read, from before it began to its end.
        let _ = tokio::time::timeout(
            Duration::from_micros(n * 100),
            reader.next(Duration::from_secs(60)),
        )
        .await;
    }
    let mut all = Vec::new();
    let publishing = environment.publish(0..50);
    tokio::join!(publishing, async {
        while all.len() < 50 {
            match tokio::time::timeout(
                Duration::from_millis(3),
                reader.next(Duration::from_secs(60)),
            )
            .await
            {
                Ok(Ok(Received::Entries(entries))) => {
                    all.extend(entries.iter().map(number));
                }
                Ok(other) => panic!("{other:?}"),
                Err(_abandoned) => {}
            }
        }
    });
    assert_eq!(all, (0..50).collect::<Vec<_>>());
}
