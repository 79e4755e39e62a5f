//! The handler, and the worker that runs it. This is what an application writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use lambda_batch::{Backoff, Outcome, Reason};
use shared::delay::{DelayQueue, Handle, Job, Tally, Worker, WorkerSettings};
use shared::link::Link;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock::RedisClock;
use crate::floor::{Floor, Released};

/// How long the tables of a waiter that fell over stay on hold beyond their time.
const LEASE: Duration = Duration::from_secs(2);

/// What a waiter tells.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    /// A release is to be carried out.
    Begins(Job),
    /// It was: this is what it found, and Redis' time in milliseconds.
    Ends(&'static str, Job, Released, u64),
    /// It could not be carried out, for this reason.
    Fails(&'static str, Job, &'static str),
}

/// Releases tables whose hold has ended.
pub(crate) struct Waiter {
    pub(crate) name: &'static str,
    pub(crate) floor: Arc<Floor>,
    /// Found: what is illegible can be read.
    pub(crate) glasses: Arc<AtomicBool>,
    pub(crate) clock: RedisClock,
    pub(crate) tell: mpsc::UnboundedSender<Told>,
    /// The table over which this one falls.
    pub(crate) falls_over: Option<&'static str>,
}

impl Handle for Waiter {
    async fn handle(&self, job: Job) -> Outcome {
        self.told(Told::Begins(job.clone()));
        if self.falls_over == Some(job.id.as_str()) {
            std::future::pending::<()>().await;
        }
        // What the body means is the application's own.
        if job.body == "illegible" && !self.glasses.load(Ordering::Relaxed) {
            self.told(Told::Fails(self.name, job, "nobody can read the note"));
            return Outcome::Park(Reason::new("nobody can read the note"));
        }
        if job.body == "sticky" && job.attempt < 3 {
            self.told(Told::Fails(self.name, job, "the sign sticks"));
            return Outcome::Retry(Reason::new("the sign sticks"));
        }
        let now_ms = match self.clock.now_ms().await {
            Ok(now_ms) => now_ms,
            Err(error) => return Outcome::Retry(Reason::new(error)),
        };
        let released = self.floor.release(&job.id);
        self.told(Told::Ends(self.name, job, released, now_ms));
        Outcome::Done
    }
}

impl Waiter {
    fn told(&self, told: Told) {
        // Nobody listens any more once the evening is over.
        let _ = self.tell.send(told);
    }

    /// Begins to work, over a connection of its own as another process would.
    pub(crate) fn start(self, queue: &DelayQueue, url: &str) -> Result<Shift> {
        let settings = WorkerSettings {
            lease: LEASE,
            backoff: Backoff {
                base: Duration::from_millis(100),
                cap: Duration::from_secs(1),
                max_attempts: Some(5),
            },
            ..WorkerSettings::default()
        };
        let queue = queue.over(Link::open(url, Duration::from_secs(5))?);
        let worker = Worker::new(queue, settings, self)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move { worker.run(async { drop(stopped.await) }).await });
        Ok(Shift { stop, task })
    }
}

/// A waiter at work.
pub(crate) struct Shift {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Tally>,
}

impl Shift {
    /// Ends as a power cut would end it.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Finishes what is begun.
    pub(crate) async fn stop(self) -> Result<Tally> {
        drop(self.stop);
        Ok(self.task.await?)
    }
}
