//! Parking and replaying entries.

use std::collections::BTreeSet;

use delay_queue::{DelayQueue, Due, Fenced, MAX_PARKED, Parked, Replayed, Stats};

use crate::environment::{PAST, TestEnvironment, claim, shard};

#[tokio::test]
async fn parked_entries_are_listed_and_replayed() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
    let held = claim(&queue, 60_000).await;
    assert_eq!(
        queue.park(&held, "odd: no such program\n").await,
        Ok(Fenced::Done)
    );
    let parked = queue.parked(shard(1), 0, 10).await.expect("answers");
    let [
        Parked {
            id,
            body,
            attempts,
            reason,
            ..
        },
    ] = parked.as_slice()
    else {
        panic!("{parked:?}")
    };
    assert_eq!(
        (id.as_str(), body.as_str(), *attempts, reason.as_str()),
        ("a", "body", 1, "odd: no such program\n")
    );
    assert_eq!(
        queue.stats(shard(1)).await,
        Ok(Stats {
            parked: 1,
            ..Stats::default()
        })
    );
    queue
        .schedule(shard(1), "a", "newer", Due::In(60_000))
        .await
        .expect("answers");
    assert_eq!(
        queue.replay(shard(1), "a", PAST).await,
        Ok(Replayed::Existing)
    );
    queue.cancel(shard(1), "a").await.expect("answers");
    assert_eq!(queue.replay(shard(1), "a", PAST).await, Ok(Replayed::Done));
    assert_eq!(
        queue.replay(shard(1), "a", PAST).await,
        Ok(Replayed::NotParked)
    );
    let again = claim(&queue, 60_000).await;
    assert_eq!((again.body.as_str(), again.attempt), ("body", 1));
}

/// Schedules an entry, claims it and parks it.
async fn schedule_and_park(queue: &DelayQueue, id: &str, body: &str) -> Fenced {
    queue
        .schedule(shard(1), id, body, PAST)
        .await
        .expect("answers");
    let held = claim(queue, 60_000).await;
    queue
        .park(&held, &format!("{body} is odd"))
        .await
        .expect("answers")
}

#[tokio::test]
async fn an_entry_parked_twice_keeps_both_bodies() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    assert_eq!(schedule_and_park(&queue, "a", "first").await, Fenced::Done);
    assert_eq!(schedule_and_park(&queue, "a", "second").await, Fenced::Done);
    let parked = queue.parked_of(shard(1), "a").await.expect("answers");
    let bodies: BTreeSet<&str> = parked.iter().map(|parked| parked.body.as_str()).collect();
    assert_eq!(bodies, BTreeSet::from(["first", "second"]));
    assert_eq!(queue.stats(shard(1)).await.map(|stats| stats.parked), Ok(2));
    assert_eq!(
        queue.replay(shard(1), "a", PAST).await,
        Ok(Replayed::Several)
    );
    let of = |body: &str| parked.iter().find(|parked| parked.body == body);
    let first = of("first").expect("kept");
    assert_eq!(
        queue.replay_marked(shard(1), "a", &first.mark, PAST).await,
        Ok(Replayed::Done)
    );
    assert_eq!(claim(&queue, 60_000).await.body, "first");
    assert_eq!(
        queue.drop_parked(shard(1), "a", &first.mark).await,
        Ok(false),
        "it is no longer parked"
    );
    let second = of("second").expect("kept");
    assert_eq!(
        queue.drop_parked(shard(1), "a", &second.mark).await,
        Ok(true)
    );
    assert_eq!(queue.parked(shard(1), 0, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn an_entry_parked_by_an_earlier_version_is_replayed() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let base = environment.key(shard(1), "parked");
    let _: u64 = environment.query(&["ZADD", &base, "7", "a"]).await;
    for (part, value) in [("job", "body"), ("why", "3:odd")] {
        let _: u64 = environment
            .query(&["HSET", &format!("{base}-{part}"), "a", value])
            .await;
    }
    let parked = queue.parked(shard(1), 0, 10).await.expect("answers");
    assert_eq!(
        (
            parked[0].mark.as_str(),
            parked[0].body.as_str(),
            parked[0].attempts
        ),
        ("", "body", 3)
    );
    assert_eq!(queue.replay(shard(1), "a", PAST).await, Ok(Replayed::Done));
    assert_eq!(queue.parked(shard(1), 0, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn a_full_parked_set_loses_no_entry() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let base = environment.key(shard(1), "parked");
    let old: Vec<String> = (0..MAX_PARKED).map(|n| format!("old-{n}")).collect();
    let words = ["ZADD", &base]
        .into_iter()
        .chain(old.iter().flat_map(|id| ["1", id.as_str()]));
    let _: u64 = environment.query(&words.collect::<Vec<_>>()).await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let held = claim(&queue, 60_000).await;
    assert_eq!(queue.park(&held, "odd").await, Ok(Fenced::Full));
    assert_eq!(
        queue.retry(&held, 60_000).await,
        Ok(Fenced::Done),
        "the caller still holds the lease"
    );
    assert!(queue.peek(shard(1), "a").await.expect("answers").is_some());
    assert_eq!(queue.drop_parked(shard(1), "old-7", "").await, Ok(true));
    assert_eq!(schedule_and_park(&queue, "b", "body").await, Fenced::Done);
}
