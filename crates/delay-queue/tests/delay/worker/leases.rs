//! Leases and draining.

use std::sync::Arc;
use std::time::Duration;

use delay_queue::{Due, Job, Outcome, Shard, Stats, WorkerCounts, WorkerSettings};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{LATER, RunningWorker, next, recording, schedule, settings, stuck};
use crate::environment::{PAST, TestEnvironment};

/// Short for tests that wait for its end, long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(1500);

fn short() -> WorkerSettings {
    WorkerSettings {
        lease: SHORT,
        ..settings()
    }
}

#[tokio::test]
async fn the_entry_of_a_killed_worker_is_handled_again() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let (handler, mut jobs) = stuck();
    let first = RunningWorker::start(&queue, short(), handler);
    assert_eq!(next(&mut jobs).await.attempt, 1);
    first.kill().await;
    let (handler, mut jobs) = recording();
    let second = RunningWorker::start(&queue, settings(), handler);
    let job = next(&mut jobs).await;
    assert_eq!(
        (job.id.as_str(), job.body.as_str(), job.attempt),
        ("a", "body of a", 2)
    );
    assert_eq!(
        second.stop().await,
        WorkerCounts {
            done: 1,
            ..WorkerCounts::default()
        }
    );
    assert_eq!(queue.stats(Shard::of_id("a")).await, Ok(Stats::default()));
}

#[tokio::test]
async fn a_slow_handler_keeps_its_entry() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let resume = Arc::new(Notify::new());
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let wait = resume.clone();
    let slow = RunningWorker::start(&queue, short(), move |job: Job| {
        let sender = sender.clone();
        let wait = wait.clone();
        async move {
            sender.send(job).expect("the test receives");
            wait.notified().await;
            Outcome::Done
        }
    });
    next(&mut jobs).await;
    let (handler, mut others) = recording();
    let other = RunningWorker::start(&queue, settings(), handler);
    let lease_end = async || {
        queue
            .peek(Shard::of_id("a"), "a")
            .await
            .expect("answers")
            .expect("an entry")
            .due_ms
    };
    let first = lease_end().await;
    // Until the first lease has ended and was extended before.
    while lease_end().await < first + SHORT.as_millis() as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    resume.notify_one();
    assert_eq!(
        slow.stop().await,
        WorkerCounts {
            done: 1,
            ..WorkerCounts::default()
        }
    );
    assert_eq!(other.stop().await, WorkerCounts::default());
    assert!(others.try_recv().is_err());
}

#[tokio::test]
async fn the_ack_of_a_frozen_worker_is_refused() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let (unfreeze, frozen) = std::sync::mpsc::channel::<()>();
    let frozen = Arc::new(std::sync::Mutex::new(frozen));
    let queue_of_thread = queue.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    // A runtime with one thread, blocked by the handler: like a process that is not scheduled.
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let url = testkit::servers::redis_url();
            let link =
                delay_queue::Link::open(&url, Duration::from_secs(5)).expect("a usable address");
            let handler = move |job: Job| {
                sender.send(job).expect("the test receives");
                frozen
                    .lock()
                    .expect("no panic here")
                    .recv()
                    .expect("the test goes on");
                std::future::ready(Outcome::Done)
            };
            let queue = queue_of_thread.over(link);
            let worker = delay_queue::Worker::new(queue, short(), handler).expect("valid settings");
            worker.run(async { drop(stopped.await) }).await
        })
    });
    assert_eq!(next(&mut jobs).await.attempt, 1);
    let (handler, mut others) = recording();
    let other = RunningWorker::start(&queue, settings(), handler);
    assert_eq!(next(&mut others).await.attempt, 2);
    assert_eq!(
        other.stop().await,
        WorkerCounts {
            done: 1,
            ..WorkerCounts::default()
        }
    );
    unfreeze.send(()).expect("the handler waits");
    drop(stop);
    let counts = tokio::task::spawn_blocking(move || thread.join().expect("no panic"))
        .await
        .expect("joined");
    assert_eq!(
        (counts.done, counts.stale + counts.revoked),
        (0, 1),
        "{counts:?}"
    );
}

/// Sends when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_handler_without_its_lease_is_stopped() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let (drop_tell, mut dropped) = mpsc::unbounded_channel();
    let worker = RunningWorker::start(&queue, short(), move |job: Job| {
        let sender = sender.clone();
        let guard = Dropped(drop_tell.clone());
        async move {
            sender.send(job).expect("the test receives");
            let _guard = guard;
            std::future::pending().await
        }
    });
    assert_eq!(next(&mut jobs).await.attempt, 1);
    assert_eq!(
        queue.reschedule(Shard::of_id("a"), "a", Due::In(400)).await,
        Ok(true)
    );
    dropped.recv().await.expect("its handler ends");
    let again = next(&mut jobs).await;
    assert_eq!(
        (again.id.as_str(), again.attempt),
        ("a", 1),
        "its attempts were reset"
    );
    assert_eq!(queue.cancel(Shard::of_id("a"), "a").await, Ok(true));
    dropped.recv().await.expect("its handler ends");
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            revoked: 2,
            ..WorkerCounts::default()
        }
    );
    assert_eq!(
        queue.peek(Shard::of_id("a"), "a").await,
        Ok(None),
        "a late completion does not restore it"
    );
}

#[tokio::test]
async fn a_stopped_worker_finishes_running_handlers() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    for id in ["a", "b", "c", "d", "e"] {
        schedule(&queue, id, PAST).await;
    }
    schedule(&queue, "later", LATER).await;
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let resume = Arc::new(tokio::sync::Semaphore::new(0));
    let wait = resume.clone();
    let handler = move |job: Job| {
        let sender = sender.clone();
        let wait = wait.clone();
        async move {
            sender.send(job).expect("the test receives");
            wait.acquire().await.expect("open").forget();
            Outcome::Done
        }
    };
    let settings = WorkerSettings {
        concurrency: 2,
        ..settings()
    };
    let worker =
        delay_queue::Worker::new(queue.clone(), settings, handler).expect("valid settings");
    let (stop, stopped) = oneshot::channel::<()>();
    let (stopping_sender, stopping_received) = oneshot::channel();
    let stopping = async move {
        drop(stopped.await);
        stopping_sender.send(()).expect("the test receives");
    };
    let task = tokio::spawn(async move { worker.run(stopping).await });
    for _ in 0..2 {
        next(&mut jobs).await;
    }
    assert!(
        jobs.try_recv().is_err(),
        "no more handlers than the concurrency"
    );
    drop(stop);
    stopping_received.await.expect("it stops");
    resume.add_permits(5);
    assert_eq!(
        task.await.expect("no panic"),
        WorkerCounts {
            done: 2,
            ..WorkerCounts::default()
        }
    );
    assert!(jobs.try_recv().is_err());
    let shards: Vec<Shard> = Shard::all().collect();
    let left = queue.totals(&shards).await.expect("answers");
    assert_eq!((left.waiting, left.leased), (4, 0));
}

#[tokio::test]
async fn unfinished_entries_go_to_another_worker() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    schedule(&queue, "a", PAST).await;
    let (handler, mut jobs) = stuck();
    let short_drain = WorkerSettings {
        drain_timeout: Duration::from_millis(1),
        ..short()
    };
    let worker = RunningWorker::start(&queue, short_drain, handler);
    next(&mut jobs).await;
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            unfinished: 1,
            ..WorkerCounts::default()
        }
    );
    let (handler, mut jobs) = recording();
    let other = RunningWorker::start(&queue, settings(), handler);
    assert_eq!(next(&mut jobs).await.attempt, 2);
    other.stop().await;
}
