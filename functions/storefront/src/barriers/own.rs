//! The latest barrier that this process appended to each partition.

use std::sync::{Mutex, PoisonError};

use shared::refill::{BarrierPlace, Barriers};

use crate::kafka::LogRanges;

/// The latest barrier of this process in each partition.
#[derive(Debug, Default)]
pub struct OwnBarriers(Mutex<Barriers>);

impl OwnBarriers {
    /// Those that Kafka still holds.
    pub(crate) fn kept(&self, logs: &LogRanges) -> Barriers {
        let mut own = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        own.0.retain(|partition, BarrierPlace(behind, _)| {
            logs.get(partition)
                .is_some_and(|log| log.contains(&(*behind - 1)))
        });
        own
    }

    pub(crate) fn add(&self, appended: &Barriers) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .extend(&appended.0);
    }
}
