//! When a run ends: at a time, or when it is told to.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// When a run ends. Once it has come it stays.
#[derive(Debug, Clone)]
pub struct Stop {
    at: Instant,
    told: Option<watch::Receiver<bool>>,
}

impl Stop {
    /// At a time.
    pub const fn at(at: Instant) -> Self {
        Self { at, told: None }
    }

    /// When told: as soon as the channel holds true, or its sender is gone.
    pub fn when(told: watch::Receiver<bool>) -> Self {
        // As far away as any clock can say without overflow.
        Self {
            at: Instant::now() + Duration::from_secs(86_400 * 365 * 30),
            told: Some(told),
        }
    }

    /// Whether it has come.
    pub fn has_come(&self) -> bool {
        let told = self
            .told
            .as_ref()
            .is_some_and(|told| *told.borrow() || told.has_changed().is_err());
        told || Instant::now() >= self.at
    }

    /// The time at which it comes at the latest.
    pub const fn latest(&self) -> Instant {
        self.at
    }

    /// Waits for it.
    pub async fn come(&self) {
        let told = async {
            match self.told.clone() {
                // An error says that the sender is gone.
                Some(mut told) => drop(told.wait_for(|told| *told).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = told => {}
            () = tokio::time::sleep_until(self.at) => {}
        }
    }
}
