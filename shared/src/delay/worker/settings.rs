//! How a worker works.

use std::time::Duration;

use crate::message::{BadValue, Shard};
use lambda_batch::Backoff;

/// Shortest lease taken. It is renewed when a third is over, and that needs a round trip.
const LEAST_LEASE: Duration = Duration::from_millis(50);

/// How a worker works. What is given by default suits handlers that take milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The shards it looks after. All, unless a fleet is divided on purpose: workers share every shard anyway.
    pub shards: Vec<Shard>,
    /// Handlers that run at the same time, at most.
    pub at_once: usize,
    /// Entries claimed at a time, at most.
    pub batch: usize,
    /// How long an entry is nobody else's. Extended while its handler runs, so it bounds how long the entries of a worker that died
    /// wait, not how long a handler may take. At least 50 ms.
    pub lease: Duration,
    /// The pauses before retries, and how many attempts there are. Attempts that ended with their worker's death count as well.
    pub backoff: Backoff,
    /// How often it looks at its shards without any reason: heals a wake that got lost.
    pub look_every: Duration,
    /// How long it waits for running handlers when told to stop.
    pub drain: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            shards: Shard::all().collect(),
            at_once: 64,
            batch: 64,
            lease: Duration::from_secs(30),
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
                max_attempts: Some(10),
            },
            look_every: Duration::from_secs(5),
            drain: Duration::from_secs(20),
        }
    }
}

impl WorkerSettings {
    pub(super) fn checked(mut self) -> Result<Self, BadValue> {
        self.shards.sort_unstable();
        self.shards.dedup();
        let rules = [
            (
                !self.shards.is_empty(),
                "shards of a worker",
                "at least one",
            ),
            (
                self.at_once > 0,
                "handlers of a worker at once",
                "at least 1",
            ),
            (self.batch > 0, "batch of a worker", "at least 1"),
            (
                self.lease >= LEAST_LEASE,
                "lease of a worker",
                "at least 50 ms",
            ),
            (
                !self.look_every.is_zero(),
                "time between two looks of a worker",
                "more than 0",
            ),
            (
                self.backoff.max_attempts != Some(0),
                "attempts of a worker",
                "at least 1, or no bound",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, what, rule)) => Err(BadValue { what, rule }),
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let usual = WorkerSettings::default;
        assert!(usual().checked().is_ok());
        assert!(
            WorkerSettings {
                shards: Vec::new(),
                ..usual()
            }
            .checked()
            .is_err()
        );
        assert!(
            WorkerSettings {
                at_once: 0,
                ..usual()
            }
            .checked()
            .is_err()
        );
        assert!(
            WorkerSettings {
                batch: 0,
                ..usual()
            }
            .checked()
            .is_err()
        );
        assert!(
            WorkerSettings {
                lease: Duration::from_millis(49),
                ..usual()
            }
            .checked()
            .is_err()
        );
        assert!(
            WorkerSettings {
                look_every: Duration::ZERO,
                ..usual()
            }
            .checked()
            .is_err()
        );
        let never = Backoff {
            max_attempts: Some(0),
            ..usual().backoff
        };
        assert!(
            WorkerSettings {
                backoff: never,
                ..usual()
            }
            .checked()
            .is_err()
        );
    }
}
