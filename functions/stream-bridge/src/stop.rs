//! When a run ends: at a time, or by a signal.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The end of a run.
#[derive(Debug, Clone)]
pub struct Stop {
    at: Instant,
    signal: Option<watch::Receiver<bool>>,
}

impl Stop {
    /// Ends at a time.
    pub const fn at(at: Instant) -> Self {
        Self { at, signal: None }
    }

    /// Ends when the channel holds true, or its sender is dropped.
    pub fn when(signal: watch::Receiver<bool>) -> Self {
        // Thirty years: `Instant` has no maximum.
        Self {
            at: Instant::now() + Duration::from_secs(86_400 * 365 * 30),
            signal: Some(signal),
        }
    }

    /// Whether the run must end now.
    pub fn has_come(&self) -> bool {
        let signalled = self
            .signal
            .as_ref()
            .is_some_and(|signal| *signal.borrow() || signal.has_changed().is_err());
        signalled || Instant::now() >= self.at
    }

    /// The latest end.
    pub const fn latest(&self) -> Instant {
        self.at
    }

    /// Waits for the end.
    pub async fn come(&self) {
        let signalled = async {
            match self.signal.clone() {
                // An error means that the sender was dropped.
                Some(mut signal) => drop(signal.wait_for(|stop| *stop).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = signalled => {}
            () = tokio::time::sleep_until(self.at) => {}
        }
    }
}
