//! Many entries, several workers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use delay_queue::{Job, NewEntry, Outcome, Scheduled, Shard, Stats, WorkerSettings};
use tokio::sync::mpsc;

use super::{RunningWorker, next, schedule, settings};
use crate::environment::{PAST, TestEnvironment};

#[tokio::test]
async fn ten_thousand_entries_due_at_once_are_each_handled_once() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    let entry = |n: u32| {
        let id = format!("entry-{n}");
        NewEntry {
            shard: Shard::of_id(&id),
            body: format!("{{\"n\":{n}}}"),
            id,
            due: PAST,
        }
    };
    let entries: Vec<NewEntry> = (0..10_000).map(entry).collect();
    assert!(
        queue
            .schedule_many(&entries)
            .await
            .expect("answers")
            .iter()
            .all(|s| *s == Scheduled::New)
    );
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let start = || {
        let sender = sender.clone();
        let many = WorkerSettings {
            concurrency: 400,
            batch: 200,
            ..settings()
        };
        RunningWorker::start(&queue, many, move |job: Job| {
            sender.send(job).expect("the test receives");
            std::future::ready(Outcome::Done)
        })
    };
    let one = start();
    let two = start();
    let mut ids = BTreeSet::new();
    for _ in 0..10_000 {
        let job = next(&mut jobs).await;
        assert_eq!(job.attempt, 1);
        assert!(ids.insert(job.id), "handled twice");
    }
    let one = one.stop().await;
    let two = two.stop().await;
    assert_eq!((one.done + two.done, one.stale + two.stale), (10_000, 0));
    assert!(
        one.done > 0 && two.done > 0,
        "they share the work: {one:?} {two:?}"
    );
    let shards: Vec<Shard> = Shard::all().collect();
    assert_eq!(queue.totals(&shards).await, Ok(Stats::default()));
}

#[tokio::test]
async fn no_more_handlers_run_than_there_are_permits() {
    let environment = TestEnvironment::open();
    let queue = environment.queue();
    for n in 0..60 {
        schedule(&queue, &format!("entry-{n}"), PAST).await;
    }
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (sender, mut jobs) = mpsc::unbounded_channel();
    let running_now = running.clone();
    let most_ever = most.clone();
    let worker = RunningWorker::start(
        &queue,
        WorkerSettings {
            concurrency: 7,
            ..settings()
        },
        move |job: Job| {
            let sender = sender.clone();
            let running = running_now.clone();
            let most = most_ever.clone();
            async move {
                most.fetch_max(
                    running.fetch_add(1, Ordering::Relaxed) + 1,
                    Ordering::Relaxed,
                );
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                running.fetch_sub(1, Ordering::Relaxed);
                sender.send(job).expect("the test receives");
                Outcome::Done
            }
        },
    );
    for _ in 0..60 {
        next(&mut jobs).await;
    }
    assert_eq!(worker.stop().await.done, 60);
    let most = most.load(Ordering::Relaxed);
    assert!((2..=7).contains(&most), "{most} ran at once");
}
