//! A group shares a stream, and an entry comes again until it is acknowledged.

use std::collections::BTreeMap;
use std::time::Duration;

use redis_streams::{EntryId, GroupSettings, Hold};
use tokio::time::Instant;

use crate::environment::{
    DEADLINE, GROUP, TestEnvironment, await_entries, ids, numbers, read, settings,
};
use testkit::until;

#[tokio::test]
async fn concurrent_consumers_share_a_stream() {
    let environment = TestEnvironment::open();
    let slow = || GroupSettings {
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut readers: Vec<_> = (0..3)
        .map(|n| environment.consumer_with(&format!("c{n}"), slow()))
        .collect();
    let publishing = environment.publish(0..300);
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
    assert_eq!((seen.len(), environment.pending().await), (300, 0));
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
async fn a_new_group_begins_at_the_oldest_entry() {
    let environment = TestEnvironment::open();
    environment.publish(0..5).await;
    let mut reader = environment.consumer("one");
    assert_eq!(numbers(&await_entries(&mut reader).await), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_dead_consumer_loses_no_entry() {
    let environment = TestEnvironment::open();
    environment.publish(0..5).await;
    let mut first = environment.consumer("first");
    let entries = await_entries(&mut first).await;
    assert_eq!(
        entries.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [1; 5]
    );
    first.ack(&ids(&entries[..2])).await.expect("Redis runs");
    drop(first);
    let mut second = environment.consumer("second");
    let taken = await_entries(&mut second).await;
    assert_eq!(numbers(&taken), [2, 3, 4]);
    assert_eq!(
        taken.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [2; 3]
    );
    assert_eq!(second.counts().taken_over, 3);
    assert_eq!(second.ack(&ids(&taken)).await, Ok(3));
    assert_eq!(environment.pending().await, 0);
}

#[tokio::test]
async fn a_dropped_read_loses_no_entry() {
    let environment = TestEnvironment::open();
    let mut reader = environment.consumer("one");
    let mut seen = std::collections::BTreeSet::new();
    let publishing = environment.publish(0..100);
    tokio::join!(publishing, async {
        let deadline = Instant::now() + DEADLINE;
        while seen.len() < 100 {
            assert!(Instant::now() < deadline, "{} of 100 came", seen.len());
            let reading = reader.next(deadline);
            if let Ok(entries) = tokio::time::timeout(Duration::from_millis(2), reading).await {
                seen.extend(numbers(&entries));
                reader.ack(&ids(&entries)).await.expect("Redis runs");
            } else {
                // What went to the abandoned read is pending in this name: another takes it over.
                let mut other = environment.consumer("other");
                let entries = other.take_over().await.expect("Redis runs");
                seen.extend(numbers(&entries));
                other.ack(&ids(&entries)).await.expect("Redis runs");
            }
        }
    });
    assert_eq!(seen, (0..100).collect());
}

#[tokio::test]
async fn hold_prevents_a_take_over_and_reports_losses() {
    let environment = TestEnvironment::open();
    environment.publish(0..2).await;
    let mut first = environment.consumer("first");
    let entries = await_entries(&mut first).await;
    let mut second = environment.consumer("second");
    // Idle for long enough, but held again: no take-over.
    let pending = || async {
        let pending: Vec<(String, String, u64, u64)> = environment
            .query(&[
                "XPENDING",
                &environment.key(),
                GROUP,
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
        "hold does not count as a delivery"
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
async fn leaving_returns_entries_without_counting_the_delivery() {
    let environment = TestEnvironment::open();
    environment.publish(0..3).await;
    let patient = || GroupSettings {
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut first = environment.consumer_with("first", patient());
    let entries = await_entries(&mut first).await;
    first.ack(&ids(&entries[..1])).await.expect("Redis runs");
    assert_eq!(first.leave().await, Ok(2));
    assert_eq!(
        environment.consumers().await,
        ["first"],
        "a consumer with entries is not deleted"
    );
    let mut second = environment.consumer_with("second", patient());
    let taken = await_entries(&mut second).await;
    assert_eq!(
        numbers(&taken),
        [1, 2],
        "immediately, although the idle time is long"
    );
    assert_eq!(
        taken.iter().map(|d| d.deliveries).collect::<Vec<_>>(),
        [1, 1]
    );
    second.ack(&ids(&taken)).await.expect("Redis runs");
    assert_eq!(second.leave().await, Ok(0));
    assert_eq!(
        environment.consumers().await,
        ["first"],
        "a consumer without entries is deleted"
    );
}

#[tokio::test]
async fn silent_consumers_without_entries_are_deleted() {
    let environment = TestEnvironment::open();
    environment.publish(0..2).await;
    let settings = || GroupSettings {
        batch: 1,
        forget: Duration::ZERO,
        idle: Duration::from_secs(600),
        ..settings()
    };
    let mut done = environment.consumer_with("done", settings());
    let mut holds = environment.consumer_with("holds", settings());
    await_entries(&mut holds).await;
    let entries = await_entries(&mut done).await;
    done.ack(&ids(&entries)).await.expect("Redis runs");
    let mut reader = environment.consumer_with("reader", settings());
    reader.take_over().await.expect("Redis runs");
    assert_eq!(reader.counts().deleted, 1);
    assert!(!environment.consumers().await.contains(&"done".to_owned()));
    assert!(environment.consumers().await.contains(&"holds".to_owned()));
    assert_eq!(environment.pending().await, 1);
}

#[tokio::test]
async fn an_ordered_group_waits_for_acknowledgements() {
    let environment = TestEnvironment::open();
    let in_order = || GroupSettings {
        ordered: true,
        batch: 2,
        ..settings()
    };
    let mut first = environment.consumer_with("first", in_order());
    let mut second = environment.consumer_with("second", in_order());
    environment.publish(0..4).await;
    let entries = await_entries(&mut first).await;
    assert_eq!(numbers(&entries), [0, 1]);
    first.ack(&ids(&entries[..1])).await.expect("Redis runs");
    // The first consumer dies; its entries come first.
    let taken = await_entries(&mut second).await;
    assert_eq!(numbers(&taken), [1]);
    assert_eq!(read(&mut first).await, [], "held by another");
    second.ack(&ids(&taken)).await.expect("Redis runs");
    assert_eq!(numbers(&await_entries(&mut first).await), [2, 3]);
}

#[tokio::test]
async fn a_new_entry_wakes_an_ordered_consumer() {
    let environment = TestEnvironment::open();
    let mut reader = environment.consumer_with(
        "one",
        GroupSettings {
            ordered: true,
            block: Duration::from_secs(60),
            ..settings()
        },
    );
    let (entries, _) = tokio::join!(
        reader.next(Instant::now() + DEADLINE),
        environment.publish(0..1)
    );
    assert_eq!(numbers(&entries), [0]);
}

#[tokio::test]
async fn the_state_reports_pending_and_lag() {
    let environment = TestEnvironment::open();
    let mut reader = environment.consumer_with(
        "one",
        GroupSettings {
            batch: 2,
            ..settings()
        },
    );
    environment.publish(0..5).await;
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

#[tokio::test]
async fn a_stored_count_of_deliveries_survives_a_take_over() {
    let environment = TestEnvironment::open();
    environment.publish(0..2).await;
    let mut first = environment.consumer_with(
        "first",
        GroupSettings {
            max_deliveries: 9,
            ..settings()
        },
    );
    let entries = ids(&await_entries(&mut first).await);
    let counts = [(entries[0], 4), (entries[1], 1)];
    assert_eq!(
        first.hold_counted(&counts).await,
        Ok(vec![Hold::Held, Hold::Held])
    );
    assert_eq!(first.hold(&entries).await, Ok(vec![true, true]));
    let mut second = environment.consumer_with(
        "second",
        GroupSettings {
            max_deliveries: 9,
            ..settings()
        },
    );
    let taken = await_entries(&mut second).await;
    let counts: Vec<u32> = taken.iter().map(|taken| taken.deliveries).collect();
    assert_eq!(counts, [5, 2]);
    let lost = first.hold_counted(&[(entries[0], 1)]).await;
    assert_eq!(lost, Ok(vec![Hold::Gone]), "another consumer has it");
}

#[tokio::test]
async fn entries_removed_before_their_delivery_are_counted() {
    let environment = TestEnvironment::open();
    let mut reader = environment.consumer("one");
    assert_eq!(read(&mut reader).await, []);
    let all = environment.publish(0..10).await;
    let first = reader.read_up_to(2, Duration::from_millis(50)).await;
    let first = ids(&first.expect("Redis runs"));
    reader.ack(&first).await.expect("Redis runs");
    let removed = async || {
        let state = reader.state().await.expect("Redis runs");
        (state.last_delivered, state.removed)
    };
    assert_eq!(removed().await, (all[1], 0));
    let key = environment.key();
    let _: u64 = environment.query(&["XTRIM", &key, "MAXLEN", "9"]).await;
    assert_eq!(removed().await, (all[1], 0), "that one was processed");
    let _: u64 = environment.query(&["XTRIM", &key, "MAXLEN", "5"]).await;
    assert_eq!(removed().await, (all[1], 3));
    let _: u64 = environment.query(&["XTRIM", &key, "MAXLEN", "0"]).await;
    assert_eq!(removed().await, (all[1], 8));
    environment.publish(10..11).await;
    assert_eq!(numbers(&await_entries(&mut reader).await), [10]);
    let state = reader.state().await.expect("Redis runs");
    assert_eq!(state.removed, 0, "they lie before the last delivery");
}

#[tokio::test]
async fn a_held_entry_that_was_deleted_is_reported() {
    let environment = TestEnvironment::open();
    let all = environment.publish(0..2).await;
    let mut reader = environment.consumer("one");
    await_entries(&mut reader).await;
    let key = environment.key();
    let _: u64 = environment
        .query(&["XDEL", &key, &all[0].to_string()])
        .await;
    let counts = [(all[0], 2), (all[1], 2)];
    let held = reader.hold_counted(&counts).await;
    assert_eq!(held, Ok(vec![Hold::Deleted, Hold::Held]));
    let held = reader.hold_counted(&counts).await;
    assert_eq!(held, Ok(vec![Hold::Gone, Hold::Held]), "reported once");
}
