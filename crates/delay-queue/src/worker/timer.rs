//! A timer with a resolution of 50 us, the kernel's timer slack.
//!
//! The timers of the runtime round up to whole milliseconds twice, so handlers would start up to
//! two milliseconds late. This one is a thread that sleeps on a condition variable.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

/// One deadline at a time.
#[derive(Debug)]
pub(super) struct Timer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    fired: Notify,
}

#[derive(Debug, Default)]
struct State {
    deadline: Option<Instant>,
    stopped: bool,
}

impl Timer {
    /// Starts the thread, which ends when the timer is dropped.
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = shared.clone();
        thread::spawn(move || of_thread.run());
        Self(shared)
    }

    /// Replaces the deadline, or clears it.
    pub(super) fn set(&self, deadline: Option<Instant>) {
        let mut state = self.0.state();
        if state.deadline != deadline {
            // Only an earlier deadline must wake the thread: otherwise it checks when it wakes.
            let earlier =
                deadline.is_some_and(|at| state.deadline.is_none_or(|before| at < before));
            state.deadline = deadline;
            if earlier {
                self.0.changed.notify_one();
            }
        }
    }

    /// Waits for the deadline. One that passed before this call counts, once.
    pub(super) async fn fired(&self) {
        self.0.fired.notified().await;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.state().stopped = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut state = self.state();
        while !state.stopped {
            let left = state
                .deadline
                .map(|at| at.saturating_duration_since(Instant::now()));
            state = match left {
                None => self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    state.deadline = None;
                    self.fired.notify_one();
                    state
                }
                Some(left) => {
                    self.changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn it_fires_once_at_the_earliest_deadline() {
        let timer = Timer::new();
        let soon = Instant::now() + Duration::from_millis(30);
        let late = Instant::now() + Duration::from_hours(1);
        timer.set(Some(late));
        timer.set(Some(soon));
        timer.fired().await;
        assert!(Instant::now() >= soon);
        // A past deadline fires immediately; a cleared one does not.
        timer.set(Some(late));
        timer.set(None);
        timer.set(Some(soon));
        timer.fired().await;
        let shared = Arc::downgrade(&timer.0);
        drop(timer);
        while shared.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }
}
