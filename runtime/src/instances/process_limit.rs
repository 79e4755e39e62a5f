//! The limit of processes of all functions together, which the host's open files set.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::dispatch::Dispatcher;

/// How long a start waits for the end of an idle process that is stopped for it.
const STOP_WAIT: Duration = Duration::from_secs(1);
/// How long a start waits for a process to become idle. One that has answered calls again sooner.
const IDLE_WAIT: Duration = Duration::from_millis(250);
/// How often it looks for an idle process meanwhile.
const IDLE_POLL: Duration = Duration::from_millis(10);
/// Time between two log lines of a shortage that lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Permits for processes.
#[derive(Debug)]
pub(super) struct ProcessLimit {
    permits: Arc<Semaphore>,
    dispatchers: OnceLock<Vec<Weak<Dispatcher>>>,
    last_logged: Mutex<Option<Instant>>,
}

impl ProcessLimit {
    pub(super) fn new(max: usize) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            permits,
            dispatchers: OnceLock::new(),
            last_logged: Mutex::new(None),
        })
    }

    /// Sets the functions whose idle processes may be stopped for others.
    pub(super) fn set_dispatchers<'d>(&self, all: impl Iterator<Item = &'d Arc<Dispatcher>>) {
        let _ = self.dispatchers.set(all.map(Arc::downgrade).collect());
    }

    /// A permit for one more process. `None`: every process is busy.
    pub(super) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        let deadline = Instant::now() + IDLE_WAIT;
        loop {
            if let Ok(permit) = self.permits.clone().try_acquire_owned() {
                return Some(permit);
            }
            if self.stop_longest_idle() {
                break;
            }
            if Instant::now() >= deadline {
                return None;
            }
            tokio::time::sleep(IDLE_POLL).await;
        }
        tokio::time::timeout(STOP_WAIT, self.permits.clone().acquire_owned())
            .await
            .ok()?
            .ok()
    }

    /// Stops the process of any function that has been idle longest. False: none is idle.
    pub(super) fn stop_longest_idle(&self) -> bool {
        let dispatchers = self.dispatchers.get().into_iter().flatten();
        let longest = dispatchers
            .filter_map(Weak::upgrade)
            .filter_map(|dispatcher| dispatcher.longest_idle())
            .min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, worker)| {
            worker.stop_if_idle();
            true
        })
    }

    /// Logs why a process cannot be started, at most once in [`LOG_INTERVAL`].
    pub(super) fn log_shortage(&self, function: &str, why: &str) {
        let mut last = self
            .last_logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *last = Some(Instant::now());
            tracing::warn!(
                function,
                "a process cannot be started: {why}. Its events are throttled and retried"
            );
        }
    }
}
