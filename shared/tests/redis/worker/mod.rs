//! What a worker of the delay queue promises.

mod leases;
mod sharing;
mod waking;

use std::time::Duration;

use delay_queue::{
    DelayQueue, Due, Handler, Job, Scheduled, Shard, Worker, WorkerCounts, WorkerSettings,
};
use lambda_batch::{Backoff, Outcome};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::stage::{Stage, shared_url};

/// Longer than any test: what happens does not happen because somebody looked by chance.
const NEVER: Duration = Duration::from_hours(1);
const PAST: Due = Due::At(1);
const LATER: Due = Due::In(3_600_000);

async fn queue() -> (Stage, DelayQueue) {
    let stage = Stage::at(&shared_url(), &[(1, 1)]).await;
    let queue = DelayQueue::new(stage.gate.link().clone(), stage.names.prefix(), "jobs")
        .expect("a valid name");
    (stage, queue)
}

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

/// A worker at work in this process.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<WorkerCounts>,
}

impl Running {
    fn start<H: Handler>(queue: &DelayQueue, settings: WorkerSettings, handler: H) -> Self {
        let worker = Worker::new(queue.clone(), settings, handler).expect("valid settings");
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        Self { stop, task }
    }

    /// Tells it to stop, and waits until it has drained.
    async fn stop(self) -> WorkerCounts {
        drop(self.stop);
        self.task.await.expect("no panic in the worker")
    }

    /// Ends it as a crash would: no word to Redis.
    async fn kill(self) {
        self.task.abort();
        assert!(
            self.task.await.is_err_and(|error| error.is_cancelled()),
            "it had ended before"
        );
    }
}

/// Where handlers tell what they were given.
type Seen = mpsc::UnboundedReceiver<Job>;

/// A handler that tells what it was given, and is done.
fn telling() -> (impl Handler, Seen) {
    let (tell, seen) = mpsc::unbounded_channel();
    let handler = move |job: Job| {
        let told = tell.send(job);
        async move {
            told.expect("the test listens");
            Outcome::Done
        }
    };
    (handler, seen)
}

/// A handler that tells what it was given, and never ends.
fn stuck() -> (impl Handler, Seen) {
    let (tell, seen) = mpsc::unbounded_channel();
    let handler = move |job: Job| {
        tell.send(job).expect("the test listens");
        std::future::pending()
    };
    (handler, seen)
}

/// Waits for a job. The bound only ends a test that has failed.
async fn next(seen: &mut Seen) -> Job {
    tokio::time::timeout(Duration::from_secs(60), seen.recv())
        .await
        .expect("an entry is handled")
        .expect("the worker runs")
}

/// Waits until so many workers listen for wakes.
async fn until_listening(stage: &Stage, queue: &DelayQueue, workers: u64) {
    let channel = stage.names.shard_key(
        Shard::of_id("").into(),
        format_args!("delay:{}:wake", queue.name()),
    );
    while stage
        .ask::<(String, u64)>(&["PUBSUB", "NUMSUB", &channel])
        .await
        .1
        < workers
    {
        tokio::task::yield_now().await;
    }
}
