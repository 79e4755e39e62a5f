//! The handler and its worker. An application writes this part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use delay_queue::{
    Backoff, DelayQueue, Handler, Job, Link, Outcome, Reason, Worker, WorkerCounts, WorkerSettings,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clock;
use crate::tables::{Released, Tables};

/// How long the entries of a killed worker wait beyond their due time.
const LEASE: Duration = Duration::from_secs(2);

/// What a worker did.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// It starts to handle an entry.
    Started(Job),
    /// It released a table, at this time by Redis' clock in milliseconds.
    Released(&'static str, Job, Released, u64),
    /// It could not release the table, for this reason.
    Failed(&'static str, Job, &'static str),
}

/// Releases tables whose hold has ended.
pub(crate) struct Releaser {
    pub(crate) name: &'static str,
    pub(crate) tables: Arc<Tables>,
    /// Whether notes marked `illegible` can be read.
    pub(crate) repaired: Arc<AtomicBool>,
    pub(crate) link: Link,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    /// The handler never returns for this table.
    pub(crate) stuck_on: Option<&'static str>,
}

impl Handler for Releaser {
    async fn handle(&self, job: Job) -> Outcome {
        self.report(Event::Started(job.clone()));
        if self.stuck_on == Some(job.id.as_str()) {
            std::future::pending::<()>().await;
        }
        // The application defines the format of the body.
        if job.body == "illegible" && !self.repaired.load(Ordering::Relaxed) {
            self.report(Event::Failed(self.name, job, "the note is illegible"));
            return Outcome::Park(Reason::new("the note is illegible"));
        }
        if job.body == "sticky" && job.attempt < 3 {
            self.report(Event::Failed(self.name, job, "the sign sticks"));
            return Outcome::Retry(Reason::new("the sign sticks"));
        }
        let now_ms = match clock::now_ms(&self.link).await {
            Ok(now_ms) => now_ms,
            Err(error) => return Outcome::Retry(Reason::new(error)),
        };
        let released = self.tables.release(&job.id);
        self.report(Event::Released(self.name, job, released, now_ms));
        Outcome::Done
    }
}

impl Releaser {
    fn report(&self, event: Event) {
        // The receiver is dropped at the end of the scenario.
        let _ = self.events.send(event);
    }

    /// Starts a worker over a connection of its own, as another process would.
    pub(crate) fn start(self, queue: &DelayQueue, url: &str) -> Result<RunningWorker> {
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
        Ok(RunningWorker { stop, task })
    }
}

pub(crate) struct RunningWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<WorkerCounts>,
}

impl RunningWorker {
    /// Ends it as a crash would.
    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Stops it and waits for its handlers.
    pub(crate) async fn stop(self) -> Result<WorkerCounts> {
        drop(self.stop);
        Ok(self.task.await?)
    }
}
