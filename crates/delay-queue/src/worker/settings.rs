//! Settings of a worker.

use std::time::Duration;

use crate::{Backoff, InvalidArgument, Shard};

/// A lease is extended after a third of it, which needs a round trip.
const MIN_LEASE: Duration = Duration::from_millis(50);

/// Settings of a worker. The defaults suit handlers that take milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// The shards to work on, at least one. Workers may share shards, so the default is all.
    pub shards: Vec<Shard>,
    /// How many handlers run at the same time, at least 1.
    pub concurrency: usize,
    /// How many entries one claim takes, at least 1.
    pub batch: usize,
    /// How long a claimed entry is reserved, at least 50 ms. The worker extends it while the
    /// handler runs, so it bounds how long the entries of a dead worker wait, not the time of a
    /// handler.
    pub lease: Duration,
    /// Pauses before retries, and the number of attempts. Attempts of workers that died count.
    pub backoff: Backoff,
    /// How often the worker checks its shards without a notification: covers lost notifications.
    pub poll_interval: Duration,
    /// How long a stopped worker waits for running handlers.
    pub drain_timeout: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            shards: Shard::all().collect(),
            concurrency: 64,
            batch: 64,
            lease: Duration::from_secs(30),
            backoff: Backoff {
                base: Duration::from_secs(1),
                cap: Duration::from_secs(60),
                max_attempts: Some(10),
            },
            poll_interval: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(20),
        }
    }
}

impl WorkerSettings {
    pub(super) fn checked(mut self) -> Result<Self, InvalidArgument> {
        self.shards.sort_unstable();
        self.shards.dedup();
        let require = InvalidArgument::unless;
        let has_shards = !self.shards.is_empty();
        require(has_shards, "shards of a worker", "at least one")?;
        let has_slots = self.concurrency > 0;
        require(has_slots, "concurrency of a worker", "at least 1")?;
        require(self.batch > 0, "batch of a worker", "at least 1")?;
        let lasts = self.lease >= MIN_LEASE;
        require(lasts, "lease of a worker", "at least 50 ms")?;
        let polls = !self.poll_interval.is_zero();
        require(polls, "poll interval of a worker", "more than 0")?;
        let has_attempts = self.backoff.max_attempts != Some(0);
        require(
            has_attempts,
            "attempts of a worker",
            "at least 1, or no bound",
        )?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_out_of_bounds_are_refused() {
        assert!(WorkerSettings::default().checked().is_ok());
        let changes: [fn(&mut WorkerSettings); 6] = [
            |settings| settings.shards.clear(),
            |settings| settings.concurrency = 0,
            |settings| settings.batch = 0,
            |settings| settings.lease = Duration::from_millis(49),
            |settings| settings.poll_interval = Duration::ZERO,
            |settings| settings.backoff.max_attempts = Some(0),
        ];
        for change in changes {
            let mut settings = WorkerSettings::default();
            change(&mut settings);
            assert!(settings.clone().checked().is_err(), "{settings:?}");
        }
    }
}
