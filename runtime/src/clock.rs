//! Points in time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event_sources::Millis;

/// Milliseconds since 1970.
pub(crate) fn epoch_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}

/// The current time.
pub(crate) fn now() -> Millis {
    epoch_ms(SystemTime::now()) as Millis
}

/// The time of a machine: milliseconds since 1970, monotonic.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    epoch: Millis,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            epoch: now(),
        }
    }

    pub(crate) fn now(&self) -> Millis {
        self.epoch + self.started.elapsed().as_millis() as Millis
    }

    pub(crate) fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis((at - self.epoch).max(0) as u64)
    }
}
