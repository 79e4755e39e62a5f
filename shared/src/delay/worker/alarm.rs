//! Wakes the worker at a time, to a fraction of a millisecond.
//!
//! The runtime's own timers count whole milliseconds, rounded up, and its poller rounds up once more: entries would be handed out two
//! milliseconds late for no other reason. A thread that sleeps on a condition variable is late by the kernel's timer slack only
//! (50 us). It sleeps nearly always.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

/// An alarm clock with one hand.
#[derive(Debug)]
pub(super) struct Alarm(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    set: Mutex<Setting>,
    changed: Condvar,
    rang: Notify,
}

#[derive(Debug, Default)]
struct Setting {
    at: Option<Instant>,
    over: bool,
}

impl Alarm {
    /// Starts its thread, which ends when the alarm is dropped.
    pub(super) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let threads = shared.clone();
        thread::spawn(move || threads.watch());
        Self(shared)
    }

    /// Rings at this time, instead of any other set before; or not at all.
    pub(super) fn set(&self, at: Option<Instant>) {
        let mut set = self.0.set.lock().unwrap_or_else(PoisonError::into_inner);
        if set.at != at {
            // The thread must get up only for an earlier time: for a later one it looks again when it wakes.
            let earlier = at.is_some_and(|at| set.at.is_none_or(|before| at < before));
            set.at = at;
            if earlier {
                self.0.changed.notify_one();
            }
        }
    }

    /// Waits until it rings. A ring that nobody waited for is kept.
    pub(super) async fn rang(&self) {
        self.0.rang.notified().await;
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0
            .set
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .over = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn watch(&self) {
        let mut set = self.set.lock().unwrap_or_else(PoisonError::into_inner);
        while !set.over {
            let left = set
                .at
                .map(|at| at.saturating_duration_since(Instant::now()));
            set = match left {
                None => self
                    .changed
                    .wait(set)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    set.at = None;
                    self.rang.notify_one();
                    set
                }
                Some(left) => {
                    self.changed
                        .wait_timeout(set, left)
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
    async fn it_rings_once_never_before_its_time_and_an_earlier_time_counts() {
        let alarm = Alarm::new();
        let soon = Instant::now() + Duration::from_millis(30);
        let late = Instant::now() + Duration::from_hours(1);
        alarm.set(Some(late));
        alarm.set(Some(soon));
        alarm.rang().await;
        assert!(Instant::now() >= soon);
        // A time that is over rings at once; one that was taken back does not ring in its stead.
        alarm.set(Some(late));
        alarm.set(None);
        alarm.set(Some(soon));
        alarm.rang().await;
        let shared = Arc::downgrade(&alarm.0);
        drop(alarm);
        while shared.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }
}
