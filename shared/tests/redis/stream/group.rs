//! A group shares a stream, and an entry comes again until it is acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use redis_streams::{EntryId, GroupSettings};
use tokio::time::Instant;

use super::stage::{PATIENCE, Streams, await_entries, ids, numbers, read, settings, until};

#[tokio::test]
async fn concurrent_consumers_share_a_stream_and_each_entry_goes_to_one() {
    let streams = Streams::open();
    let slow = || GroupSettings {
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut readers: Vec<_> = (0..3)
        .map(|n| streams.consumer_with(&format!("c{n}"), slow()))
        .collect();
    let publishing = streams.publish(0..300);
    let seen = std::sync::Mutex::new(BTreeMap::<u32, u32>::new());
    let seen_by_all = &seen;
    let consuming = futures_join(readers.iter_mut().map(|reader| async move {
        let seen = seen_by_all;
        while seen.lock().expect("no panic").len() < 300 {
            let entries = read(reader).await;
            for n in numbers(&entries) {
                *seen.lock().expect("no panic").entry(n).or_default() += 1;
            }
            reader.ack(&ids(&entries)).await.expect("Redis runs");
        }
    }));
    tokio::join!(publishing, consuming);
    let seen = seen.into_inner().expect("no panic");
    assert!(seen.values().all(|times| *times == 1), "{seen:?}");
    assert_eq!((seen.len(), streams.pending().await), (300, 0));
}

/// Polls all of them to their end.
async fn futures_join<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut all: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_published_before_the_group_was_made_is_read_too() {
    let streams = Streams::open();
    streams.publish(0..5).await;
    let mut reader = streams.consumer("one");
    assert_eq!(numbers(&await_entries(&mut reader).await), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_consumer_that_dies_between_read_and_acknowledgement_loses_nothing() {
    let streams = Streams::open();
    streams.publish(0..5).await;
    let mut first = streams.consumer("first");
    let entries = await_entries(&mut first).await;
    assert_eq!(
        entries.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [1; 5]
    );
    first.ack(&ids(&entries[..2])).await.expect("Redis runs");
    drop(first);
    let mut second = streams.consumer("second");
    let taken = await_entries(&mut second).await;
    assert_eq!(numbers(&taken), [2, 3, 4]);
    assert_eq!(
        taken.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [2; 3]
    );
    assert_eq!(second.counts().taken_over, 3);
    assert_eq!(second.ack(&ids(&taken)).await, Ok(3));
    assert_eq!(streams.pending().await, 0);
}

#[tokio::test]
async fn a_read_that_is_abandoned_while_it_waits_loses_nothing() {
    let streams = Streams::open();
    let mut reader = streams.consumer("one");
    let mut seen = std::collections::BTreeSet::new();
    let publishing = streams.publish(0..100);
    tokio::join!(publishing, async {
        let deadline = Instant::now() + PATIENCE;
        while seen.len() < 100 {
            assert!(Instant::now() < deadline, "{} of 100 came", seen.len());
            let reading = reader.next(deadline);
            if let Ok(entries) = tokio::time::timeout(Duration::from_millis(2), reading).await {
                seen.extend(numbers(&entries));
                reader.ack(&ids(&entries)).await.expect("Redis runs");
            } else {
                // What went to the abandoned read is pending in this name: another takes it over.
                let mut other = streams.consumer("other");
                let entries = other.take_over().await.expect("Redis runs");
                seen.extend(numbers(&entries));
                other.ack(&ids(&entries)).await.expect("Redis runs");
            }
        }
    });
    assert_eq!(seen, (0..100).collect());
}

#[tokio::test]
async fn who_holds_on_keeps_its_entries_and_who_lost_them_learns_it() {
    let streams = Streams::open();
    streams.publish(0..2).await;
    let mut first = streams.consumer("first");
    let entries = await_entries(&mut first).await;
    let mut second = streams.consumer("second");
    // Idle for long enough, and held again: not to be had.
    let pending = || async {
        let pending: Vec<(String, String, u64, u64)> = streams
            .ask(&[
                "XPENDING",
                &streams.key(),
                &streams.group_name(),
                "IDLE",
                "100",
                "-",
                "+",
                "10",
            ])
            .await;
        pending.len() == 2
    };
    until("the entries are idle", pending).await;
    assert_eq!(first.hold(&ids(&entries)).await, Ok(vec![true, true]));
    assert_eq!(second.take_over().await, Ok(vec![]));
    let taken = await_entries(&mut second).await;
    assert_eq!(
        taken.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [2, 2],
        "holding is no delivery"
    );
    second
        .ack(&[entries[0].entry.id])
        .await
        .expect("Redis runs");
    assert_eq!(first.hold(&ids(&entries)).await, Ok(vec![false, false]));
    assert_eq!(
        first.hold(&[EntryId { ms: 1, seq: 1 }]).await,
        Ok(vec![false])
    );
}

#[tokio::test]
async fn who_leaves_gives_back_what_it_holds_as_if_it_had_not_been_delivered() {
    let streams = Streams::open();
    streams.publish(0..3).await;
    let patient = || GroupSettings {
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut first = streams.consumer_with("first", patient());
    let entries = await_entries(&mut first).await;
    first.ack(&ids(&entries[..1])).await.expect("Redis runs");
    assert_eq!(first.leave().await, Ok(2));
    assert_eq!(
        streams.consumers().await,
        ["first"],
        "it holds something still, and is not deleted"
    );
    let mut second = streams.consumer_with("second", patient());
    let taken = await_entries(&mut second).await;
    assert_eq!(
        numbers(&taken),
        [1, 2],
        "at once, though the idle time is long"
    );
    assert_eq!(
        taken.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [1, 1]
    );
    second.ack(&ids(&taken)).await.expect("Redis runs");
    assert_eq!(second.leave().await, Ok(0));
    assert_eq!(
        streams.consumers().await,
        ["first"],
        "who holds nothing is gone"
    );
}

#[tokio::test]
async fn dead_consumers_are_deleted_once_they_hold_nothing() {
    let streams = Streams::open();
    streams.publish(0..2).await;
    let settings = || GroupSettings {
        batch: 1,
        forget: Duration::ZERO,
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut done = streams.consumer_with("done", settings());
    let mut holds = streams.consumer_with("holds", settings());
    await_entries(&mut holds).await;
    let entries = await_entries(&mut done).await;
    done.ack(&ids(&entries)).await.expect("Redis runs");
    let mut reader = streams.consumer_with("reader", settings());
    reader.take_over().await.expect("Redis runs");
    assert_eq!(reader.counts().deleted, 1);
    assert!(!streams.consumers().await.contains(&"done".to_owned()));
    assert!(streams.consumers().await.contains(&"holds".to_owned()));
    assert_eq!(streams.pending().await, 1);
}

#[tokio::test]
async fn in_order_nothing_is_handed_out_while_anything_before_it_is_unacknowledged() {
    let streams = Streams::open();
    let in_order = || GroupSettings {
        ordered: true,
        batch: 2,
        ..settings()
    };
    let mut first = streams.consumer_with("first", in_order());
    let mut second = streams.consumer_with("second", in_order());
    streams.publish(0..4).await;
    let entries = await_entries(&mut first).await;
    assert_eq!(numbers(&entries), [0, 1]);
    first.ack(&ids(&entries[..1])).await.expect("Redis runs");
    // The first consumer dies. What it held comes first.
    let taken = await_entries(&mut second).await;
    assert_eq!(numbers(&taken), [1]);
    assert_eq!(read(&mut first).await, [], "held by another");
    second.ack(&ids(&taken)).await.expect("Redis runs");
    assert_eq!(numbers(&await_entries(&mut first).await), [2, 3]);
}

#[tokio::test]
async fn in_order_a_waiting_consumer_is_woken_by_what_comes() {
    let streams = Streams::open();
    let mut reader = streams.consumer_with(
        "one",
        GroupSettings {
            ordered: true,
            block: Duration::from_secs(60),
            ..settings()
        },
    );
    let (entries, _) = tokio::join!(
        reader.next(Instant::now() + PATIENCE),
        streams.publish(0..1)
    );
    assert_eq!(numbers(&entries), [0]);
}

#[tokio::test]
async fn how_far_a_group_is_can_be_told() {
    let streams = Streams::open();
    let mut reader = streams.consumer_with(
        "one",
        GroupSettings {
            batch: 2,
            ..settings()
        },
    );
    streams.publish(0..5).await;
    let entries = await_entries(&mut reader).await;
    let state = reader.state().await.expect("Redis runs");
    assert_eq!((state.pending, state.lag), (2, Some(3)));
    assert!(state.oldest_pending.is_some());
    reader.ack(&ids(&entries)).await.expect("Redis runs");
    let state = reader.state().await.expect("Redis runs");
    assert_eq!(
        (state.pending, state.lag, state.oldest_pending),
        (0, Some(3), None)
    );
}
