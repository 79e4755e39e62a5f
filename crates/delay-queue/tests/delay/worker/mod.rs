//! The worker.

mod leases;
mod outcomes;
mod sharing;
mod waking;

use std::time::Duration;

use delay_queue::{
    Backoff, DelayQueue, Due, Handler, Job, Outcome, Scheduled, Shard, Worker, WorkerCounts,
    WorkerSettings,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::environment::TestEnvironment;

/// Longer than any test: polling never finds an entry.
const NEVER: Duration = Duration::from_hours(1);
const LATER: Due = Due::In(3_600_000);

fn settings() -> WorkerSettings {
    let backoff = Backoff {
        base: Duration::from_millis(5),
        cap: Duration::from_millis(20),
        max_attempts: Some(3),
    };
    WorkerSettings {
        lease: Duration::from_secs(30),
        backoff,
        poll_interval: NEVER,
        ..WorkerSettings::default()
    }
}

async fn schedule(queue: &DelayQueue, id: &str, due: Due) {
    assert_eq!(
        queue
            .schedule(Shard::of_id(id), id, &format!("body of {id}"), due)
            .await,
        Ok(Scheduled::New)
    );
}

/// A running worker.
struct RunningWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<WorkerCounts>,
}

impl RunningWorker {
    fn start<H: Handler>(queue: &DelayQueue, settings: WorkerSettings, handler: H) -> Self {
        let worker = Worker::new(queue.clone(), settings, handler).expect("valid settings");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        Self { stop, task }
    }

    /// Stops it and waits until it has drained.
    async fn stop(self) -> WorkerCounts {
        drop(self.stop);
        self.task.await.expect("no panic in the worker")
    }

    /// Ends it as a crash would, without a request to Redis.
    async fn kill(self) {
        self.task.abort();
        assert!(
            self.task.await.is_err_and(|error| error.is_cancelled()),
            "the worker had ended before"
        );
    }
}

/// The jobs that handlers received.
type Jobs = mpsc::UnboundedReceiver<Job>;

/// A handler that records its job and returns `Done`.
fn recording() -> (impl Handler, Jobs) {
    let (sender, jobs) = mpsc::unbounded_channel();
    let handler = move |job: Job| {
        let sent = sender.send(job);
        async move {
            sent.expect("the test receives");
            Outcome::Done
        }
    };
    (handler, jobs)
}

/// A handler that records its job and never returns.
fn stuck() -> (impl Handler, Jobs) {
    let (sender, jobs) = mpsc::unbounded_channel();
    let handler = move |job: Job| {
        sender.send(job).expect("the test receives");
        std::future::pending()
    };
    (handler, jobs)
}

/// The next job. The timeout only ends a failed test.
async fn next(jobs: &mut Jobs) -> Job {
    tokio::time::timeout(Duration::from_secs(60), jobs.recv())
        .await
        .expect("an entry is handled")
        .expect("the worker runs")
}

/// Waits until so many workers have subscribed.
async fn until_subscribed(environment: &TestEnvironment, workers: u64) {
    let channel = environment.key(Shard::of_id(""), "wake");
    while environment
        .query::<(String, u64)>(&["PUBSUB", "NUMSUB", &channel])
        .await
        .1
        < workers
    {
        tokio::task::yield_now().await;
    }
}
