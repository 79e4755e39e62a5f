//! State of a partition that is assigned to this host.

use event_sources::Millis;
use event_sources::health::{SourceWatch, WaitingWork};
use event_sources::stream::{Holding, Offset, Partition};

use super::LogEnd;

#[derive(Debug, Clone)]
pub(super) struct OwnedPartition {
    pub(super) done: Option<Offset>,
    pub(super) holding: Holding,
    pub(super) watch: SourceWatch,
}

impl OwnedPartition {
    pub(super) fn new(now: Millis, partition: Partition) -> Self {
        Self {
            done: None,
            holding: Holding {
                partition,
                ..Holding::default()
            },
            watch: SourceWatch::new(now),
        }
    }

    /// Next offset to process. Before the first one is done: the oldest record in memory, or where
    /// librdkafka starts to fetch.
    pub(super) fn position(&self, log: LogEnd) -> Option<Offset> {
        self.done.or(self.holding.first).or(log.next)
    }

    pub(super) fn lag(&self, log: LogEnd) -> Option<i64> {
        log.stable_end()
            .zip(self.position(log))
            .map(|(end, position)| (end - position).max(0))
    }

    /// The position, if the log has records there and none of them arrive.
    pub(super) fn unread(&self, log: LogEnd) -> Option<Offset> {
        let arrives = self.holding.held > 0 || self.lag(log).is_none_or(|lag| lag == 0);
        if arrives { None } else { self.position(log) }
    }

    /// The waiting records, if any.
    pub(super) fn waiting(&self, now: Millis, log: LogEnd) -> Option<WaitingWork> {
        let Holding {
            held,
            oldest,
            in_flight,
            gathers_until,
            ..
        } = self.holding;
        let waits =
            held > 0 || self.lag(log).is_some_and(|lag| lag > 0) || self.held_back(log).is_some();
        let in_flight = in_flight || gathers_until.is_some_and(|until| until > now);
        waits.then_some(WaitingWork {
            oldest,
            since: None,
            in_flight,
        })
    }

    /// Begin and length of an open transaction, once everything before it is done.
    pub(super) fn held_back(&self, log: LogEnd) -> Option<(Offset, i64)> {
        let stable = log.stable_end()?;
        let held_back = log.held_back();
        (held_back > 0 && self.holding.held == 0 && self.position(log)? >= stable)
            .then_some((stable, held_back))
    }
}
