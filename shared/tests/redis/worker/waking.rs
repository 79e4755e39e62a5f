//! When a worker gets up.

use std::sync::Arc;
use std::time::Duration;

use delay_queue::{DelayQueue, Due, Job, Shard};
use lambda_batch::Outcome;
use redis_link::Link;
use tokio::sync::mpsc;

use super::super::failover::{Pair, TIMEOUT};
use super::super::private::Private;
use super::super::stage::Stage;
use super::{LATER, PAST, Running, next, queue, schedule, settings, telling, until_listening};

/// The same queue over another connection, as another process has.
fn elsewhere(queue: &DelayQueue, stage: &Stage) -> DelayQueue {
    queue.over(Link::open(&stage.url, Duration::from_secs(5)).expect("a usable address"))
}

#[tokio::test]
async fn a_sleeping_worker_is_woken_by_whatever_makes_something_due_earlier() {
    let (stage, queue) = queue().await;
    let other = elsewhere(&queue, &stage);
    for id in ["far", "farther", "moved", "parked"] {
        schedule(&other, id, LATER).await;
    }
    let (handler, mut seen) = telling();
    let worker = Running::start(&queue, settings(), handler);
    until_listening(&stage, &queue, 1).await;
    // Whatever it does at its start is over when this is handled: from then on it sleeps for an hour, in every shard.
    schedule(&other, "first", PAST).await;
    assert_eq!(next(&mut seen).await.id, "first");
    for n in 0..20 {
        let id = format!("soon-{n}");
        schedule(&other, &id, Due::In(n % 5)).await;
        assert_eq!(next(&mut seen).await.id, id);
    }
    assert_eq!(
        other
            .reschedule(Shard::of_id("moved"), "moved", Due::In(5))
            .await,
        Ok(true)
    );
    assert_eq!(next(&mut seen).await.id, "moved");
    worker.stop().await;
}

#[tokio::test]
async fn an_entry_given_back_by_another_worker_wakes_as_well() {
    let (stage, queue) = queue().await;
    let other = elsewhere(&queue, &stage);
    schedule(&other, "a", PAST).await;
    let held = other
        .claim(&[Shard::of_id("a")], 1, 3_600_000)
        .await
        .expect("answers")
        .claims
        .remove(0);
    let (handler, mut seen) = telling();
    let worker = Running::start(&queue, settings(), handler);
    until_listening(&stage, &queue, 1).await;
    schedule(&other, "first", PAST).await;
    assert_eq!(next(&mut seen).await.id, "first");
    other.retry(&held, 3).await.expect("answers");
    let job = next(&mut seen).await;
    assert_eq!((job.id.as_str(), job.attempt), ("a", 2));
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_hands_out_nothing_early() {
    let (stage, queue) = queue().await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let stage = Arc::new(stage);
    let clock = stage.clone();
    let worker = Running::start(&queue, settings(), move |job: Job| {
        let tell = tell.clone();
        let clock = clock.clone();
        async move {
            let due_ms = job.due_ms;
            tell.send(job).expect("the test listens");
            let now_ms = clock.redis_ms().await;
            assert!(now_ms >= due_ms, "handled at {now_ms}, due at {due_ms}");
            Outcome::Done
        }
    });
    for n in 0..200_u64 {
        schedule(&queue, &format!("entry-{n}"), Due::In(n * 7 % 150)).await;
    }
    for _ in 0..200 {
        assert_eq!(
            next(&mut seen).await.attempt,
            1,
            "the assertion of a handler failed"
        );
    }
    let tally = worker.stop().await;
    assert_eq!((tally.done, tally.retried), (200, 0));
}

#[tokio::test]
async fn a_worker_outlives_a_restart_of_redis_and_hears_again_afterwards() {
    let mut server = Private::start(&[]);
    let stage = Stage::at(&server.url(), &[(1, 1)]).await;
    let queue = DelayQueue::new(stage.gate.link().clone(), stage.names.prefix(), "jobs")
        .expect("a valid name");
    let (handler, mut seen) = telling();
    let worker = Running::start(&queue, settings(), handler);
    schedule(&queue, "before", PAST).await;
    assert_eq!(next(&mut seen).await.id, "before");
    schedule(&queue, "kept", LATER).await;
    let names = stage.names.clone();
    server.restart();
    let stage = Stage::at(&server.url(), &[(1, 1)]).await;
    let other = elsewhere(&queue, &stage);
    let channel = names.shard_key(Shard::of_id("").into(), "delay:jobs:wake");
    while stage
        .ask::<(String, u64)>(&["PUBSUB", "NUMSUB", &channel])
        .await
        .1
        == 0
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    schedule(&other, "after", PAST).await;
    assert_eq!(next(&mut seen).await.id, "after");
    assert_eq!(
        other
            .reschedule(Shard::of_id("kept"), "kept", Due::In(3))
            .await,
        Ok(true)
    );
    assert_eq!(next(&mut seen).await.id, "kept");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_behind_a_silent_connection_is_woken_again() {
    let pair = Pair::start().await;
    let (handler, mut seen) = telling();
    let worker = Running::start(&pair.queue(), settings(), handler);
    let elsewhere = Link::open(&pair.old.url(), TIMEOUT).expect("a usable address");
    let other = DelayQueue::new(elsewhere, pair.names.prefix(), "jobs").expect("a valid name");
    other
        .schedule(Shard::of_id("first"), "first", "x", Due::In(0))
        .await
        .expect("answers");
    assert_eq!(next(&mut seen).await.id, "first");
    pair.relay.silence();
    other
        .schedule(Shard::of_id("second"), "second", "x", Due::In(0))
        .await
        .expect("answers");
    assert_eq!(next(&mut seen).await.id, "second");
    worker.stop().await;
}
