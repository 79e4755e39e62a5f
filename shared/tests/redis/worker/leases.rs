//! Who holds an entry, and what becomes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use delay_queue::{Due, Job, Replayed, Shard, Stats, WorkerCounts, WorkerSettings};
use lambda_batch::{Outcome, Reason};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{LATER, PAST, Running, next, queue, schedule, settings, stuck, telling};

/// Short, for what waits for its end; not so short that a machine that is busy for a moment loses it.
const SHORT: Duration = Duration::from_millis(1500);

fn short() -> WorkerSettings {
    WorkerSettings {
        lease: SHORT,
        ..settings()
    }
}

#[tokio::test]
async fn an_entry_whose_worker_was_killed_before_its_ack_is_handled_by_another() {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let (handler, mut seen) = stuck();
    let first = Running::start(&queue, short(), handler);
    assert_eq!(next(&mut seen).await.attempt, 1);
    first.kill().await;
    let (handler, mut seen) = telling();
    let second = Running::start(&queue, settings(), handler);
    let job = next(&mut seen).await;
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
async fn a_handler_slower_than_its_lease_keeps_its_entry() {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let go_on = Arc::new(Notify::new());
    let (tell, mut seen) = mpsc::unbounded_channel();
    let wait = go_on.clone();
    let slow = Running::start(&queue, short(), move |job: Job| {
        let tell = tell.clone();
        let wait = wait.clone();
        async move {
            tell.send(job).expect("the test listens");
            wait.notified().await;
            Outcome::Done
        }
    });
    next(&mut seen).await;
    let (handler, mut others) = telling();
    let other = Running::start(&queue, settings(), handler);
    let lease_end = async || {
        queue
            .peek(Shard::of_id("a"), "a")
            .await
            .expect("answers")
            .expect("an entry")
            .due_ms
    };
    let first = lease_end().await;
    // Until its first lease is over, and the second has begun before that.
    while lease_end().await < first + SHORT.as_millis() as u64 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    go_on.notify_one();
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
async fn a_worker_that_was_frozen_beyond_its_lease_finds_its_ack_refused() {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let (thaw, frozen) = std::sync::mpsc::channel::<()>();
    let frozen = Arc::new(std::sync::Mutex::new(frozen));
    let queue_of_thread = queue.clone();
    let (stop, stopped) = oneshot::channel::<()>();
    // A runtime of its own, with one thread, that the handler blocks: as a process that is not scheduled.
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async move {
            let url = super::shared_url();
            let link =
                redis_link::Link::open(&url, Duration::from_secs(5)).expect("a usable address");
            let handler = move |job: Job| {
                tell.send(job).expect("the test listens");
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
    assert_eq!(next(&mut seen).await.attempt, 1);
    let (handler, mut others) = telling();
    let other = Running::start(&queue, settings(), handler);
    assert_eq!(next(&mut others).await.attempt, 2);
    assert_eq!(
        other.stop().await,
        WorkerCounts {
            done: 1,
            ..WorkerCounts::default()
        }
    );
    thaw.send(()).expect("it waits");
    drop(stop);
    let tally = tokio::task::spawn_blocking(move || thread.join().expect("no panic"))
        .await
        .expect("joined");
    assert_eq!(
        (tally.done, tally.stale + tally.revoked),
        (0, 1),
        "{tally:?}"
    );
}

/// Says so when it is dropped.
struct Dropped(mpsc::UnboundedSender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn a_handler_is_stopped_when_its_entry_is_cancelled_or_rescheduled() {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let (drop_tell, mut dropped) = mpsc::unbounded_channel();
    let worker = Running::start(&queue, short(), move |job: Job| {
        let tell = tell.clone();
        let guard = Dropped(drop_tell.clone());
        async move {
            tell.send(job).expect("the test listens");
            let _guard = guard;
            std::future::pending().await
        }
    });
    assert_eq!(next(&mut seen).await.attempt, 1);
    assert_eq!(
        queue.reschedule(Shard::of_id("a"), "a", Due::In(400)).await,
        Ok(true)
    );
    dropped.recv().await.expect("its handler ends");
    let again = next(&mut seen).await;
    assert_eq!(
        (again.id.as_str(), again.attempt),
        ("a", 1),
        "it started afresh"
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
        "a late word brings nothing back"
    );
}

#[tokio::test]
async fn a_failing_entry_is_retried_a_bounded_number_of_times_then_parked_and_a_replay_starts_afresh()
 {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let mended = Arc::new(AtomicBool::new(false));
    let is_mended = mended.clone();
    let worker = Running::start(&queue, settings(), move |job: Job| {
        let outcome = if is_mended.load(Ordering::Relaxed) {
            Outcome::Done
        } else {
            Outcome::Retry(Reason::new("the till is shut"))
        };
        tell.send(job).expect("the test listens");
        std::future::ready(outcome)
    });
    for attempt in 1..=3 {
        assert_eq!(next(&mut seen).await.attempt, attempt);
    }
    let parked = loop {
        if let [parked] = queue
            .parked(Shard::of_id("a"), 0, 10)
            .await
            .expect("answers")
            .as_slice()
        {
            break parked.clone();
        }
    };
    assert_eq!((parked.id.as_str(), parked.attempts), ("a", 3));
    assert!(
        parked
            .reason
            .contains("given up after 3 attempts: the till is shut"),
        "{}",
        parked.reason
    );
    mended.store(true, Ordering::Relaxed);
    // The worker sleeps for an hour, were it not woken.
    assert_eq!(
        queue.replay(Shard::of_id("a"), "a", PAST).await,
        Ok(Replayed::Done)
    );
    assert_eq!(next(&mut seen).await.attempt, 1);
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
async fn a_handler_that_panics_has_asked_for_a_retry() {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let worker = Running::start(&queue, settings(), move |job: Job| {
        let tell = tell.clone();
        async move {
            let attempt = job.attempt;
            tell.send(job).expect("the test listens");
            assert!(
                attempt > 1,
                "a mistake of the handler's (this is part of a test)"
            );
            Outcome::Done
        }
    });
    assert_eq!(next(&mut seen).await.attempt, 1);
    assert_eq!(next(&mut seen).await.attempt, 2);
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
async fn an_entry_that_kills_its_workers_is_parked_without_another_try() {
    let (_stage, queue) = queue().await;
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
    let (handler, mut seen) = telling();
    let worker = Running::start(&queue, settings(), handler);
    let parked = loop {
        if let [parked] = queue
            .parked(Shard::of_id("a"), 0, 10)
            .await
            .expect("answers")
            .as_slice()
        {
            break parked.clone();
        }
    };
    assert!(parked.reason.contains("3 attempts"), "{}", parked.reason);
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            parked: 1,
            ..WorkerCounts::default()
        }
    );
    assert!(seen.try_recv().is_err(), "no handler saw it");
}

#[tokio::test]
async fn a_worker_told_to_stop_finishes_what_runs_and_claims_nothing_more() {
    let (_stage, queue) = queue().await;
    for id in ["a", "b", "c", "d", "e"] {
        schedule(&queue, id, PAST).await;
    }
    schedule(&queue, "later", LATER).await;
    let (tell, mut seen) = mpsc::unbounded_channel();
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let wait = go_on.clone();
    let handler = move |job: Job| {
        let tell = tell.clone();
        let wait = wait.clone();
        async move {
            tell.send(job).expect("the test listens");
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
    let (told, knows) = oneshot::channel();
    let stopping = async move {
        drop(stopped.await);
        told.send(()).expect("the test listens");
    };
    let task = tokio::spawn(async move { worker.run(stopping).await });
    for _ in 0..2 {
        next(&mut seen).await;
    }
    assert!(
        seen.try_recv().is_err(),
        "no more run at once than it has permits"
    );
    drop(stop);
    knows.await.expect("it stops");
    go_on.add_permits(5);
    assert_eq!(
        task.await.expect("no panic"),
        WorkerCounts {
            done: 2,
            ..WorkerCounts::default()
        }
    );
    assert!(seen.try_recv().is_err());
    let shards: Vec<Shard> = Shard::all().collect();
    let left = queue.totals(&shards).await.expect("answers");
    assert_eq!((left.waiting, left.leased), (4, 0));
}

#[tokio::test]
async fn what_does_not_end_in_the_time_to_drain_is_left_to_another_worker() {
    let (_stage, queue) = queue().await;
    schedule(&queue, "a", PAST).await;
    let (handler, mut seen) = stuck();
    let impatient = WorkerSettings {
        drain_timeout: Duration::from_millis(1),
        ..short()
    };
    let worker = Running::start(&queue, impatient, handler);
    next(&mut seen).await;
    assert_eq!(
        worker.stop().await,
        WorkerCounts {
            unfinished: 1,
            ..WorkerCounts::default()
        }
    );
    let (handler, mut seen) = telling();
    let other = Running::start(&queue, settings(), handler);
    assert_eq!(next(&mut seen).await.attempt, 2);
    other.stop().await;
}
