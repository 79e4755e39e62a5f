//! What the delay queue promises.

use std::collections::BTreeSet;

use delay_queue::Shard;
use delay_queue::{
    Claim, Claimed, DelayQueue, Due, Fenced, MAX_PARKED, NewEntry, Parked, Replayed, Scheduled,
    Stats,
};

use super::stage::Stage;

fn shard(n: u8) -> Shard {
    Shard::new(n).expect("valid")
}

async fn queue() -> (Stage, DelayQueue) {
    let stage = Stage::at(&super::stage::shared_url(), &[(1, 1)]).await;
    let queue = DelayQueue::new(stage.gate.link().clone(), stage.names.prefix(), "jobs")
        .expect("a valid name");
    (stage, queue)
}

/// Claims until something comes: what is due comes at once, what is leased or waits comes when its time has come.
async fn claim(queue: &DelayQueue, lease_ms: u64) -> Claim {
    loop {
        let claimed = queue
            .claim(&[shard(1)], 1, lease_ms)
            .await
            .expect("answers");
        if let Some(claim) = claimed.claims.into_iter().next() {
            return claim;
        }
    }
}

const PAST: Due = Due::At(1);

#[tokio::test]
async fn scheduling_is_idempotent_by_id_even_within_one_batch() {
    let (_stage, queue) = queue().await;
    assert_eq!(
        queue
            .schedule(shard(1), "a", "first", Due::In(60_000))
            .await,
        Ok(Scheduled::New)
    );
    assert_eq!(
        queue.schedule(shard(1), "a", "second", PAST).await,
        Ok(Scheduled::Existing)
    );
    let entry = |shard, id: &str, body: &str| NewEntry {
        shard,
        id: id.into(),
        body: body.into(),
        due: Due::In(60_000),
    };
    let batch = [
        entry(shard(2), "b", "1"),
        entry(shard(1), "a", "3"),
        entry(shard(1), "b", "2"),
        entry(shard(2), "b", "4"),
    ];
    let new = Scheduled::New;
    let old = Scheduled::Existing;
    assert_eq!(
        queue.schedule_many(&batch).await,
        Ok(vec![new, old, new, old])
    );
    let body = async |n, id| {
        queue
            .peek(shard(n), id)
            .await
            .expect("answers")
            .expect("an entry")
            .body
    };
    assert_eq!(
        (body(1, "a").await, body(2, "b").await, body(1, "b").await),
        ("first".into(), "1".into(), "2".into())
    );
    assert_eq!(
        queue
            .claim(&[shard(1), shard(2)], 10, 1000)
            .await
            .expect("answers")
            .claims,
        [],
        "none is due"
    );
}

#[tokio::test]
async fn nothing_is_ever_early() {
    let (stage, queue) = queue().await;
    for n in 0..20_u64 {
        let before = stage.redis_ms().await;
        queue
            .schedule(shard(1), &n.to_string(), "x", Due::In(n))
            .await
            .expect("answers");
        let claim = claim(&queue, 60_000).await;
        let claimed_by = stage.redis_ms().await;
        assert!(
            claim.due_ms >= before + n,
            "due at {} though scheduled after {before} for {n} ms later",
            claim.due_ms
        );
        assert!(
            claimed_by >= claim.due_ms,
            "claimed by {claimed_by}, due at {}",
            claim.due_ms
        );
    }
}

#[tokio::test]
async fn a_claimed_entry_is_nobody_elses_until_its_lease_ends_and_then_the_late_ack_fails() {
    let (_stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let slow = claim(&queue, 200).await;
    assert_eq!(
        (slow.body.as_str(), slow.attempt, slow.due_ms),
        ("body", 1, 1)
    );
    // The worker dies, or is slower than its lease: another gets the entry, not before the lease has ended.
    let next = claim(&queue, 60_000).await;
    assert_eq!((next.id.as_str(), next.attempt, next.due_ms), ("a", 2, 1));
    assert_ne!(next.token, slow.token);
    assert_eq!(queue.ack(&slow).await, Ok(Fenced::Stale));
    assert_eq!(queue.extend(&slow, 1).await, Ok(Fenced::Stale));
    assert_eq!(queue.retry(&slow, 1).await, Ok(Fenced::Stale));
    assert_eq!(queue.park(&slow, "late").await, Ok(Fenced::Stale));
    assert_eq!(queue.ack(&next).await, Ok(Fenced::Done));
    assert_eq!(queue.ack(&next).await, Ok(Fenced::Stale), "done is done");
    assert_eq!(queue.stats(shard(1)).await, Ok(Stats::default()));
}

#[tokio::test]
async fn a_lease_that_ran_out_unnoticed_may_still_be_acked() {
    let (_stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let slow = claim(&queue, 1).await;
    while queue
        .stats(shard(1))
        .await
        .expect("answers")
        .oldest_overdue_ms
        .is_none()
    {}
    assert_eq!(
        queue.ack(&slow).await,
        Ok(Fenced::Done),
        "nobody else has begun"
    );
}

#[tokio::test]
async fn a_wrong_token_does_nothing() {
    let (_stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let right = claim(&queue, 60_000).await;
    for token in ["0".repeat(32), String::new(), "not hex".into()] {
        assert_eq!(
            queue
                .ack(&Claim {
                    token,
                    ..right.clone()
                })
                .await,
            Ok(Fenced::Stale)
        );
    }
    assert_eq!(queue.ack(&right).await, Ok(Fenced::Done));
}

#[tokio::test]
async fn a_retried_entry_waits_its_pause_and_remembers_its_attempts() {
    let (stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    for attempt in 1..=3 {
        let held = claim(&queue, 60_000).await;
        assert_eq!(held.attempt, attempt);
        let before = stage.redis_ms().await;
        assert_eq!(queue.retry(&held, 20).await, Ok(Fenced::Done));
        let entry = queue
            .peek(shard(1), "a")
            .await
            .expect("answers")
            .expect("an entry");
        assert!(
            entry.due_ms >= before + 20 && !entry.leased && entry.attempts == attempt,
            "{entry:?}"
        );
    }
}

#[tokio::test]
async fn rescheduling_and_cancelling_end_a_lease() {
    let (_stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let held = claim(&queue, 60_000).await;
    assert_eq!(queue.reschedule(shard(1), "a", PAST).await, Ok(true));
    assert_eq!(queue.ack(&held).await, Ok(Fenced::Stale));
    let held = claim(&queue, 60_000).await;
    assert_eq!(held.attempt, 1, "it started afresh");
    assert_eq!(queue.cancel(shard(1), "a").await, Ok(true));
    assert_eq!(queue.ack(&held).await, Ok(Fenced::Stale));
    assert_eq!(queue.cancel(shard(1), "a").await, Ok(false));
    assert_eq!(
        queue.reschedule(shard(1), "a", PAST).await,
        Ok(false),
        "what is not there is not made up"
    );
    assert_eq!(queue.peek(shard(1), "a").await, Ok(None));
}

#[tokio::test]
async fn extending_keeps_an_entry_from_others() {
    let (stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let held = claim(&queue, 60_000).await;
    let before = stage.redis_ms().await;
    assert_eq!(queue.extend(&held, 120_000).await, Ok(Fenced::Done));
    let entry = queue
        .peek(shard(1), "a")
        .await
        .expect("answers")
        .expect("an entry");
    assert!(
        entry.leased && entry.due_ms >= before + 120_000,
        "{entry:?}"
    );
}

#[tokio::test]
async fn parked_entries_are_listed_with_their_reason_and_can_be_replayed() {
    let (_stage, queue) = queue().await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
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

/// Schedules an entry, claims it and puts it aside.
async fn put_aside(queue: &DelayQueue, id: &str, body: &str) -> Fenced {
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
    let (_stage, queue) = queue().await;
    assert_eq!(put_aside(&queue, "a", "first").await, Fenced::Done);
    assert_eq!(put_aside(&queue, "a", "second").await, Fenced::Done);
    let parked = queue.parked_of(shard(1), "a").await.expect("answers");
    let bodies: BTreeSet<&str> = parked.iter().map(|parked| parked.body.as_str()).collect();
    assert_eq!(bodies, BTreeSet::from(["first", "second"]));
    assert_eq!(queue.stats(shard(1)).await.map(|stats| stats.parked), Ok(2));
    assert_eq!(
        queue.replay(shard(1), "a", PAST).await,
        Ok(Replayed::Several)
    );
    let first = parked
        .iter()
        .find(|parked| parked.body == "first")
        .expect("kept");
    assert_eq!(
        queue.replay_marked(shard(1), "a", &first.mark, PAST).await,
        Ok(Replayed::Done)
    );
    assert_eq!(claim(&queue, 60_000).await.body, "first");
    assert_eq!(
        queue.drop_parked(shard(1), "a", &first.mark).await,
        Ok(false),
        "it is not aside any more"
    );
    let second = parked
        .iter()
        .find(|parked| parked.body == "second")
        .expect("kept");
    assert_eq!(
        queue.drop_parked(shard(1), "a", &second.mark).await,
        Ok(true)
    );
    assert_eq!(queue.parked(shard(1), 0, 10).await, Ok(vec![]));
}

#[tokio::test]
async fn an_entry_parked_by_an_earlier_version_is_replayed() {
    let (stage, queue) = queue().await;
    let base = stage
        .names
        .shard_key(shard(1).into(), format!("delay:{}:parked", queue.name()));
    let _: u64 = stage.ask(&["ZADD", &base, "7", "a"]).await;
    for (part, value) in [("job", "body"), ("why", "3:odd")] {
        let _: u64 = stage
            .ask(&["HSET", &format!("{base}-{part}"), "a", value])
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
async fn a_full_parking_place_loses_no_entry() {
    let (stage, queue) = queue().await;
    let base = stage
        .names
        .shard_key(shard(1).into(), format!("delay:{}:parked", queue.name()));
    let old: Vec<String> = (0..MAX_PARKED).map(|n| format!("old-{n}")).collect();
    let words = ["ZADD", &base]
        .into_iter()
        .chain(old.iter().flat_map(|id| ["1", id.as_str()]));
    let _: u64 = stage.ask(&words.collect::<Vec<_>>()).await;
    queue
        .schedule(shard(1), "a", "body", PAST)
        .await
        .expect("answers");
    let held = claim(&queue, 60_000).await;
    assert_eq!(queue.park(&held, "odd").await, Ok(Fenced::Full));
    assert_eq!(
        queue.retry(&held, 60_000).await,
        Ok(Fenced::Done),
        "the lease is the caller's still"
    );
    assert!(queue.peek(shard(1), "a").await.expect("answers").is_some());
    assert_eq!(queue.drop_parked(shard(1), "old-7", "").await, Ok(true));
    assert_eq!(put_aside(&queue, "b", "body").await, Fenced::Done);
}

#[tokio::test]
async fn pending_entries_are_listed_by_time() {
    let (_stage, queue) = queue().await;
    for (id, due) in [
        ("late", Due::In(90_000)),
        ("soon", Due::In(30_000)),
        ("now", PAST),
    ] {
        queue
            .schedule(shard(1), id, &format!("body of {id}"), due)
            .await
            .expect("answers");
    }
    queue
        .schedule(shard(2), "between", "body", Due::In(60_000))
        .await
        .expect("answers");
    let held = claim(&queue, 10_000).await;
    let all = queue
        .all_pending(&[shard(1), shard(2)], 3)
        .await
        .expect("answers");
    let seen: Vec<_> = all
        .iter()
        .map(|(at, one)| {
            (
                at.get(),
                one.id.as_str(),
                one.entry.leased,
                one.entry.attempts,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, held.id.as_str(), true, 1),
            (1, "soon", false, 0),
            (2, "between", false, 0)
        ]
    );
    let page = queue.pending(shard(1), 2, 10).await.expect("answers");
    assert_eq!(
        (page.len(), page[0].entry.body.as_str()),
        (1, "body of late")
    );
}

#[tokio::test]
async fn a_claim_over_all_shards_takes_no_more_than_asked_and_leaves_none_behind() {
    let (_stage, queue) = queue().await;
    let shards: Vec<Shard> = Shard::all().collect();
    // Uneven on purpose: one hot shard, most with nothing.
    let at = |n: u32| shards[if n < 1000 { 7 } else { (n % 5) as usize }];
    let entries: Vec<NewEntry> = (0..1300)
        .map(|n| NewEntry {
            shard: at(n),
            id: n.to_string(),
            body: "x".into(),
            due: PAST,
        })
        .collect();
    assert!(
        queue
            .schedule_many(&entries)
            .await
            .expect("answers")
            .iter()
            .all(|s| *s == Scheduled::New)
    );
    let mut seen = BTreeSet::new();
    let mut rounds = 0;
    loop {
        let Claimed { claims, .. } = queue.claim(&shards, 40, 600_000).await.expect("answers");
        if claims.is_empty() {
            break;
        }
        assert!(claims.len() <= 40);
        rounds += 1;
        let answers = queue.ack_many(&claims).await.expect("answers");
        assert!(answers.iter().all(|answer| *answer == Fenced::Done));
        assert!(
            claims
                .into_iter()
                .all(|claim| seen.insert((claim.shard, claim.id))),
            "claimed twice"
        );
    }
    assert_eq!(
        (seen.len(), rounds),
        (1300, 33),
        "every claim but the last was filled, however uneven the shards are"
    );
}

#[tokio::test]
async fn the_next_due_time_is_told_over_all_shards_asked() {
    let (_stage, queue) = queue().await;
    let shards = [shard(1), shard(2), shard(3)];
    assert_eq!(
        queue
            .claim(&shards, 10, 1000)
            .await
            .expect("answers")
            .next_due_ms,
        None
    );
    let soon = 4_000_000_000_000;
    queue
        .schedule(shard(2), "b", "x", Due::At(soon))
        .await
        .expect("answers");
    queue
        .schedule(shard(3), "c", "x", Due::At(soon + 5))
        .await
        .expect("answers");
    let claimed = queue.claim(&shards, 10, 1000).await.expect("answers");
    assert_eq!((claimed.claims.len(), claimed.next_due_ms), (0, Some(soon)));
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_before_redis_is_asked() {
    let (stage, queue) = queue().await;
    let long = "x".repeat(70_000);
    for (id, body) in [("", "x"), ("a b", "x"), ("a", long.as_str())] {
        assert!(
            queue.schedule(shard(1), id, body, PAST).await.is_err(),
            "{id:?}"
        );
    }
    assert!(DelayQueue::new(stage.gate.link().clone(), stage.names.prefix(), "Bad:name").is_err());
    assert_eq!(queue.stats(shard(1)).await, Ok(Stats::default()));
}
