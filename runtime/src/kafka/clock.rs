//! Time of a mapping.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use event_sources::Millis;

/// Milliseconds since 1970, monotonic.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    epoch: Millis,
}

impl Clock {
    pub(super) fn start() -> Self {
        let epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis() as Millis;
        Self {
            started: Instant::now(),
            epoch,
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.epoch + self.started.elapsed().as_millis() as Millis
    }

    pub(super) fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis((at - self.epoch).max(0) as u64)
    }
}
