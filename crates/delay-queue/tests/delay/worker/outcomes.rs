//! Outcomes: retries, parking and panics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use delay_queue::{DelayQueue, Job, Outcome, Parked, Reason, Replayed, Shard, WorkerCounts};
use tokio::sync::mpsc;

use super::{RunningWorker, next, recording, schedule, settings};
use crate::environment::{PAST, TestEnvironment};

/// Waits until the entry `a` is parked.
async fn until_parked(queue: &DelayQueue) -> Parked {
    loop {
        let parked = queue.parked(Shard::of_id("a"), 0, 10).await;
        if let [parked] = parked.expect("answers").as_slice() {
            return parked.clone();
        }
    }
}

#[tokio::test]
async fn a_failing_entry_is_parked_after_its_attempts() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let repaired = Arc::new(AtomicBool::new(false));
    let is_repaired = repaired.clone();
    let worker = RunningWorker::start(&queue, settings(), move |job: Job| {
        let outcome = if is_repaired.load(Ordering::Relaxed) {
            Outcome::Done
        } else {
            Outcome::Retry(Reason::new("busy"))
        };
        sender.send(job).expect("the test receives");
        std::future::ready(outcome)
    });
    for attempt in 1..=3 {
        assert_eq!(next(&mut jobs).await.attempt, attempt);
    }
    let parked = until_parked(&queue).await;
    assert_eq!((parked.id.as_str(), parked.attempts), ("a", 3));
    assert!(
        parked.reason.contains("given up after 3 attempts: busy"),
        "{}",
        parked.reason
    );
    repaired.store(true, Ordering::Relaxed);
    // Only a notification wakes the worker now.
    assert_eq!(
        queue.replay(Shard::of_id("a"), "a", PAST).await,
        Ok(Replayed::Done)
    );
    assert_eq!(next(&mut jobs).await.attempt, 1);
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            done: 1,
            retried: 2,
            parked: 1,
            ..WorkerCounts::default()
        }
    );
}

#[tokio::test]
async fn a_panic_is_a_retry() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let worker = RunningWorker::start(&queue, settings(), move |job: Job| {
        let sender = sender.clone();
        async move {
            let attempt = job.attempt;
            sender.send(job).expect("the test receives");
            assert!(attempt > 1, "a panic that this test expects");
            Outcome::Done
        }
    });
    assert_eq!(next(&mut jobs).await.attempt, 1);
    assert_eq!(next(&mut jobs).await.attempt, 2);
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            done: 1,
            retried: 1,
            ..WorkerCounts::default()
        }
    );
}

#[tokio::test]
async fn an_entry_that_kills_its_workers_is_parked() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let mut claimed = 0;
    while claimed < 3 {
        claimed += queue
            .claim(&[Shard::of_id("a")], 1, 1)
            .await
            .expect("answers")
            .claims
            .len();
    }
    let (handler, mut jobs) = recording();
    let worker = RunningWorker::start(&queue, settings(), handler);
    let parked = until_parked(&queue).await;
    assert!(parked.reason.contains("3 attempts"), "{}", parked.reason);
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            parked: 1,
            ..WorkerCounts::default()
        }
    );
    assert!(jobs.try_recv().is_err(), "no handler received it");
}
