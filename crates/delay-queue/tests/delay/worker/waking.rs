//! Notifications wake a sleeping worker.

use std::sync::Arc;

use delay_queue::{DelayQueue, Due, Job, Link, Shard};
use lambda_batch::Outcome;
use tokio::sync::mpsc;

use super::{LATER, RunningWorker, next, recording, schedule, settings, until_subscribed};
use crate::environment::{PAST, TestEnvironment};
use crate::failover::{FailoverPair, TIMEOUT};
use testkit::redis::PrivateRedis;

#[tokio::test]
async fn an_earlier_entry_wakes_a_sleeping_worker() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let other = queue.over(environment.link());
    for id in ["far", "farther", "moved", "parked"] {
        schedule(&other, id, LATER).await;
    }
    let (handler, mut jobs) = recording();
    let worker = RunningWorker::start(&queue, settings(), handler);
    until_subscribed(&environment, 1).await;
    // After this entry the start of the worker is complete, and it sleeps for an hour.
    schedule(&other, "first", PAST).await;
    assert_eq!(next(&mut jobs).await.id, "first");
    for n in 0..20 {
        let id = format!("soon-{n}");
        schedule(&other, &id, Due::In(n % 5)).await;
        assert_eq!(next(&mut jobs).await.id, id);
    }
    assert_eq!(
        other
            .reschedule(Shard::of_id("moved"), "moved", Due::In(5))
            .await,
        Ok(true)
    );
    assert_eq!(next(&mut jobs).await.id, "moved");
    worker.stop().await;
}

#[tokio::test]
async fn a_retry_by_another_worker_wakes() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let other = queue.over(environment.link());
    schedule(&other, "a", PAST).await;
    let held = other
        .claim(&[Shard::of_id("a")], 1, 3_600_000)
        .await
        .expect("answers")
        .claims
        .remove(0);
    let (handler, mut jobs) = recording();
    let worker = RunningWorker::start(&queue, settings(), handler);
    until_subscribed(&environment, 1).await;
    schedule(&other, "first", PAST).await;
    assert_eq!(next(&mut jobs).await.id, "first");
    other.retry(&held, 3).await.expect("answers");
    let job = next(&mut jobs).await;
    assert_eq!((job.id.as_str(), job.attempt), ("a", 2));
    worker.stop().await;
}

#[tokio::test]
async fn no_entry_is_handled_early() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let environment = Arc::new(environment);
    let clock = environment.clone();
    let worker = RunningWorker::start(&queue, settings(), move |job: Job| {
        let sender = sender.clone();
        let clock = clock.clone();
        async move {
            let due_ms = job.due_ms;
            sender.send(job).expect("the test receives");
            let now_ms = clock.redis_ms().await;
            assert!(now_ms >= due_ms, "handled at {now_ms}, due at {due_ms}");
            Outcome::Done
        }
    });
    for n in 0..200_u64 {
        schedule(&queue, &format!("entry-{n}"), Due::In(n * 7 % 150)).await;
    }
    for _ in 0..200 {
        assert_eq!(next(&mut jobs).await.attempt, 1, "a handler was early");
    }
    let counts = worker.stop().await;
    assert_eq!((counts.done, counts.retried), (200, 0));
}

#[tokio::test]
async fn a_worker_survives_a_restart_of_redis() {
    let mut server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(server.url());
    let queue = environment.queue();
    let (handler, mut jobs) = recording();
    let worker = RunningWorker::start(&queue, settings(), handler);
    schedule(&queue, "before", PAST).await;
    assert_eq!(next(&mut jobs).await.id, "before");
    schedule(&queue, "kept", LATER).await;
    server.restart();
    let other = queue.over(environment.link());
    until_subscribed(&environment, 1).await;
    schedule(&other, "after", PAST).await;
    assert_eq!(next(&mut jobs).await.id, "after");
    assert_eq!(
        other
            .reschedule(Shard::of_id("kept"), "kept", Due::In(3))
            .await,
        Ok(true)
    );
    assert_eq!(next(&mut jobs).await.id, "kept");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_resubscribes_after_a_silent_connection() {
    let pair = FailoverPair::start().await;
    let (handler, mut jobs) = recording();
    let worker = RunningWorker::start(&pair.queue(), settings(), handler);
    let elsewhere = Link::open(&pair.old.url(), TIMEOUT).expect("a usable address");
    let other = DelayQueue::new(elsewhere, &pair.prefix, "jobs").expect("a valid name");
    other
        .schedule(Shard::of_id("first"), "first", "x", Due::In(0))
        .await
        .expect("answers");
    assert_eq!(next(&mut jobs).await.id, "first");
    pair.relay.silence().await;
    other
        .schedule(Shard::of_id("second"), "second", "x", Due::In(0))
        .await
        .expect("answers");
    assert_eq!(next(&mut jobs).await.id, "second");
    worker.stop().await;
}
