//! Processes of all functions together: no more than the host has room for.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::pool::Runner;

/// How long a start waits for the end of a process that was idle and is ended for it.
const ROOM: Duration = Duration::from_secs(1);
/// How long it waits for a process to become idle: one that has answered requests its next event within a shorter time.
const SOON: Duration = Duration::from_millis(250);
/// How often it looks meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// A shortage that lasts is said again after so long.
const SAID_AGAIN: Duration = Duration::from_secs(10);

/// The room for processes.
#[derive(Debug)]
pub(super) struct Processes {
    free: Arc<Semaphore>,
    runners: OnceLock<Vec<Weak<Runner>>>,
    said: Mutex<Option<Instant>>,
}

impl Processes {
    pub(super) fn new(most: usize) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            free,
            runners: OnceLock::new(),
            said: Mutex::new(None),
        })
    }

    /// The functions whose idle processes make room for others.
    pub(super) fn serve<'r>(&self, runners: impl Iterator<Item = &'r Arc<Runner>>) {
        let _ = self.runners.set(runners.map(Arc::downgrade).collect());
    }

    /// Room for one more process, free again when the permit is dropped. `None`: every process is at work.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        let given_up = Instant::now() + SOON;
        loop {
            if let Ok(room) = self.free.clone().try_acquire_owned() {
                return Some(room);
            }
            if self.end_idle() {
                break;
            }
            if Instant::now() >= given_up {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::timeout(ROOM, self.free.clone().acquire_owned())
            .await
            .ok()?
            .ok()
    }

    /// Ends the process that has been idle longest, of any function. False: none is idle.
    pub(super) fn end_idle(&self) -> bool {
        let runners = self
            .runners
            .get()
            .into_iter()
            .flatten()
            .filter_map(Weak::upgrade);
        let longest = runners
            .filter_map(|runner| runner.dispatch.longest_idle())
            .min_by_key(|(since, _)| *since);
        longest.is_some_and(|(_, instance)| {
            instance.retire_now();
            true
        })
    }

    /// Says why a process cannot be started: once in a while, however often it happens.
    pub(super) fn short(&self, function: &str, why: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_none_or(|said| said.elapsed() >= SAID_AGAIN) {
            *said = Some(Instant::now());
            tracing::warn!(
                function,
                "a process cannot be started: {why}. Its events are throttled and tried again"
            );
        }
    }
}
