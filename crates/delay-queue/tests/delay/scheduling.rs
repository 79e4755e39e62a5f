//! Scheduling, listing and due times.

use delay_queue::{DelayQueue, Due, NewEntry, Scheduled, Stats};

use crate::environment::{PAST, TestEnvironment, claim, shard};

#[tokio::test]
async fn scheduling_is_idempotent_by_id() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
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
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    for n in 0..20_u64 {
        let before = environment.redis_ms().await;
        queue
            .schedule(shard(1), &n.to_string(), "x", Due::In(n))
            .await
            .expect("answers");
        let claim = claim(&queue, 60_000).await;
        let claimed_by = environment.redis_ms().await;
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
async fn pending_entries_are_listed_by_time() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
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
async fn invalid_entries_are_refused_before_a_request() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let long = "x".repeat(70_000);
    for (id, body) in [("", "x"), ("a b", "x"), ("a", long.as_str())] {
        assert!(
            queue.schedule(shard(1), id, body, PAST).await.is_err(),
            "{id:?}"
        );
    }
    assert!(DelayQueue::new(environment.link(), &environment.prefix, "Bad:name").is_err());
    assert_eq!(queue.stats(shard(1)).await, Ok(Stats::default()));
}
