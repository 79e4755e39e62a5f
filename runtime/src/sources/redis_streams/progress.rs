//! The progress of a source, for the status.

use std::sync::Mutex;

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceProblem, SourceWatch, WaitingWork};
use event_sources::redis_stream::RedisStreamOverview;
use redis_streams::{EntryId, GroupCounts, GroupState};
use serde::Serialize;

use super::mapping::RedisStreamMapping;
use crate::clock::now;
use crate::lock::lock;

/// The status of a source. Counters count entries since the start of the host; an entry that is
/// delivered again counts again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct RedisStreamStatus {
    /// Name of the source.
    pub mapping: String,
    /// Function's logical id.
    pub function: String,
    /// Key of the stream.
    pub stream: String,
    /// Name of the consumer group.
    pub group: String,
    /// Received from the group.
    pub received: u64,
    /// Dropped by the filters and acknowledged.
    pub filtered: u64,
    /// Invocations of the function.
    pub batches: u64,
    /// Acknowledged: processed, or dropped by the filters.
    pub acknowledged: u64,
    /// Failed attempts.
    pub failed: u64,
    /// Moved to the dead-letter stream.
    pub parked: u64,
    /// Taken over from consumers that were silent.
    pub taken_over: u64,
    /// Lost: removed from the stream while they were pending.
    pub lost: u64,
    /// Lost: removed from the stream before the group received them.
    pub removed: u64,
    /// How often the group was missing and was created again.
    pub recreated: u64,
    /// At the function.
    pub in_flight: usize,
    /// Read, and waiting for their batch or for the function.
    pub held: usize,
    /// Failed, and waiting for their next attempt.
    pub retrying: usize,
    /// Being acknowledged or moved to the dead-letter stream.
    pub settling: usize,
    /// Entries that the group has delivered to any host and that are not acknowledged.
    pub pending: Option<u64>,
    /// Entries that the group has not delivered, if Redis can compute it.
    pub lag: Option<u64>,
    /// Health.
    pub health: SourceHealth,
    /// The reason of its state, if the source is unwell.
    pub problem: Option<String>,
}

impl RedisStreamStatus {
    /// Losses since the start, a sentence each.
    pub(super) fn alarms(&self) -> Vec<String> {
        let Self { stream, group, .. } = self;
        let mut alarms = Vec::new();
        if self.removed > 0 {
            alarms.push(format!(
                "{} entries were removed from the stream {stream} before the group {group} \
                 received them, and are lost. Trim it less, or not beyond what the group has read",
                self.removed
            ));
        }
        if self.lost > 0 {
            alarms.push(format!(
                "{} pending entries of the group {group} were removed from the stream {stream} \
                 and are lost",
                self.lost
            ));
        }
        if self.recreated > 0 {
            alarms.push(format!(
                "the group {group} of the stream {stream} was missing {} times, with its entries \
                 or their acknowledgements; it was created again and began at the oldest entry",
                self.recreated
            ));
        }
        alarms
    }
}

/// Updated by the driver, read by the status.
#[derive(Debug)]
pub(super) struct RedisStreamProgress(Mutex<Observed>);

#[derive(Debug)]
struct Observed {
    /// Names, counters and counts; the health is set in each snapshot.
    status: RedisStreamStatus,
    /// When the oldest entry that this host holds was added.
    oldest: Option<Millis>,
    removal: Removal,
    watch: SourceWatch,
}

/// The entries that were removed behind the group's position, as last observed.
#[derive(Debug, Clone, Copy, Default)]
struct Removal {
    last_delivered: EntryId,
    removed: u64,
}

impl Removal {
    /// Observes the group. Returns how many entries were removed since the last observation. Redis
    /// counts them from the last entry that was delivered on.
    fn observe(&mut self, state: &GroupState) -> u64 {
        let known = if state.last_delivered == self.last_delivered {
            self.removed
        } else {
            0
        };
        *self = Self {
            last_delivered: state.last_delivered,
            removed: state.removed.max(known),
        };
        state.removed.saturating_sub(known)
    }
}

impl Observed {
    /// Reports the waiting work to the watch.
    fn report(&mut self) {
        let status = &self.status;
        let held = status.in_flight + status.held + status.retrying + status.settling;
        let pending = status.pending.unwrap_or_default();
        let waits = held > 0 || pending > 0 || status.lag.unwrap_or_default() > 0;
        let waiting = WaitingWork {
            oldest: self.oldest,
            since: None,
            // an entry of another host is being processed there, or is taken over in time
            in_flight: status.in_flight > 0 || pending > held as u64,
        };
        self.watch.waits(now(), waits.then_some(waiting));
    }
}

impl RedisStreamProgress {
    pub(super) fn new(mapping: &RedisStreamMapping) -> Self {
        let status = RedisStreamStatus {
            mapping: mapping.id.clone(),
            function: mapping.function.clone(),
            stream: mapping.stream.clone(),
            group: mapping.group.clone(),
            ..RedisStreamStatus::default()
        };
        Self(Mutex::new(Observed {
            status,
            oldest: None,
            removal: Removal::default(),
            watch: SourceWatch::new(now()),
        }))
    }

    /// Changes counters.
    pub(super) fn count(&self, change: impl FnOnce(&mut RedisStreamStatus)) {
        change(&mut lock(&self.0).status);
    }

    /// Reports an observation to the watch, with the current time.
    pub(super) fn observe(&self, report: impl FnOnce(&mut SourceWatch, Millis)) {
        report(&mut lock(&self.0).watch, now());
    }

    /// Sets the counts of the machine.
    pub(super) fn set_overview(&self, overview: RedisStreamOverview) {
        let mut observed = lock(&self.0);
        observed.status.in_flight = overview.in_flight;
        observed.status.held = overview.held;
        observed.status.retrying = overview.retrying;
        observed.status.settling = overview.settling;
        observed.oldest = overview.oldest;
        observed.report();
    }

    /// Sets the progress of the group. Returns how many entries were removed since the last call
    /// before the group received them.
    pub(super) fn set_group(&self, state: &GroupState) -> u64 {
        let mut observed = lock(&self.0);
        observed.status.pending = Some(state.pending);
        observed.status.lag = state.lag;
        let removed = observed.removal.observe(state);
        observed.status.removed += removed;
        observed.report();
        removed
    }

    /// Adds the events of a consumer between two observations.
    pub(super) fn add_counts(&self, before: &GroupCounts, after: &GroupCounts) {
        self.count(|status| {
            status.taken_over += after.taken_over - before.taken_over;
            status.parked += after.parked - before.parked;
            status.lost += after.lost - before.lost;
            status.recreated += after.recreated - before.recreated;
        });
    }

    /// Sets or clears the problem of reading.
    pub(super) fn problem(&self, problem: Option<SourceProblem>) {
        self.observe(|watch, now| {
            if let Some(problem) = &problem {
                watch.noted(now, &problem.reason);
            }
            watch.problem(now, problem);
        });
    }

    pub(super) fn snapshot(&self) -> RedisStreamStatus {
        let observed = lock(&self.0);
        let health = observed.watch.health(now());
        RedisStreamStatus {
            problem: health.problem(),
            health,
            ..observed.status.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_entries_are_counted_once() {
        let mut removal = Removal::default();
        let state = |ms, removed| GroupState {
            last_delivered: EntryId { ms, seq: 0 },
            removed,
            ..GroupState::default()
        };
        let mut observed = |ms, removed| removal.observe(&state(ms, removed));
        assert_eq!(observed(1, 0), 0);
        assert_eq!(observed(1, 3), 3);
        assert_eq!(observed(1, 3), 0);
        assert_eq!(observed(1, 5), 2);
        assert_eq!(observed(1, 0), 0, "Redis could not compute it");
        assert_eq!(observed(1, 5), 0);
        assert_eq!(observed(2, 0), 0);
        assert_eq!(observed(2, 5), 5);
    }
}
