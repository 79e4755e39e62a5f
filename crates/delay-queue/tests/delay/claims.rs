//! Claims and leases.

use std::collections::BTreeSet;

use delay_queue::{
    Claim, Claimed, DelayQueue, Due, Entry, Fenced, NewEntry, Scheduled, Shard, Stats,
};
use testkit::redis::PrivateRedis;

use crate::environment::{PAST, TestEnvironment, claim, shard};

/// The entry of [`TestEnvironment::queue_with_entry`].
async fn peek(queue: &DelayQueue) -> Entry {
    let entry = queue.peek(shard(1), "a").await.expect("answers");
    entry.expect("an entry")
}

#[tokio::test]
async fn a_late_ack_fails_after_another_claim() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
    let slow = claim(&queue, 200).await;
    assert_eq!(
        (slow.body.as_str(), slow.attempt, slow.due_ms),
        ("body", 1, 1)
    );
    // The worker dies, or is slower than its lease: another claims the entry after the lease.
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
async fn an_ended_lease_may_be_acked_until_another_claim() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
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
        "no other worker has claimed it"
    );
}

#[tokio::test]
async fn a_wrong_token_does_nothing() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
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
async fn a_retried_entry_waits_and_keeps_its_attempts() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
    for attempt in 1..=3 {
        let held = claim(&queue, 60_000).await;
        assert_eq!(held.attempt, attempt);
        let before = environment.redis_ms().await;
        assert_eq!(queue.retry(&held, 20).await, Ok(Fenced::Done));
        let entry = peek(&queue).await;
        assert!(
            entry.due_ms >= before + 20 && !entry.leased && entry.attempts == attempt,
            "{entry:?}"
        );
    }
}

#[tokio::test]
async fn rescheduling_and_cancelling_revoke_a_lease() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
    let held = claim(&queue, 60_000).await;
    assert_eq!(queue.reschedule(shard(1), "a", PAST).await, Ok(true));
    assert_eq!(queue.ack(&held).await, Ok(Fenced::Stale));
    let held = claim(&queue, 60_000).await;
    assert_eq!(held.attempt, 1, "its attempts were reset");
    assert_eq!(queue.cancel(shard(1), "a").await, Ok(true));
    assert_eq!(queue.ack(&held).await, Ok(Fenced::Stale));
    assert_eq!(queue.cancel(shard(1), "a").await, Ok(false));
    assert_eq!(
        queue.reschedule(shard(1), "a", PAST).await,
        Ok(false),
        "a missing entry is not created"
    );
    assert_eq!(queue.peek(shard(1), "a").await, Ok(None));
}

#[tokio::test]
async fn extending_prolongs_a_lease() {
    let environment = TestEnvironment::open();
    let queue = environment.queue_with_entry().await;
    let held = claim(&queue, 60_000).await;
    let before = environment.redis_ms().await;
    assert_eq!(queue.extend(&held, 120_000).await, Ok(Fenced::Done));
    let entry = peek(&queue).await;
    assert!(
        entry.leased && entry.due_ms >= before + 120_000,
        "{entry:?}"
    );
}

#[tokio::test]
async fn claims_over_all_shards_fill_their_limit() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let shards: Vec<Shard> = Shard::all().collect();
    // One shard has most entries, many have none.
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
        "every claim but the last fills its limit"
    );
}

#[tokio::test]
async fn a_claim_returns_the_next_due_time() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
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
async fn without_functions_the_same_scripts_run() {
    let server = PrivateRedis::start(&["--rename-command", "FCALL", ""]);
    let queue = TestEnvironment::at(server.url()).queue_with_entry().await;
    let held = claim(&queue, 60_000).await;
    assert_eq!((&*held.id, &*held.body, held.attempt), ("a", "body", 1));
    assert_eq!(queue.ack(&held).await, Ok(Fenced::Done));
    assert_eq!(queue.ack(&held).await, Ok(Fenced::Stale));
    let statistics = server.query::<String>(&["INFO", "commandstats"]);
    assert!(!statistics.contains("cmdstat_fcall"), "{statistics}");
    assert!(statistics.contains("cmdstat_evalsha"), "{statistics}");
}
