//! Counts the events of each function and classifies their health.

use std::collections::BTreeMap;

use event_sources::Millis;
use event_sources::asynchronous::{AttemptResult, EventDestination, EventStage};
use event_sources::health::{SourceHealth, SourceProblem, SourceState, SourceWatch, WaitingWork};
use serde::Serialize;

use super::queue::AsyncQueue;
use crate::clock::now;
use crate::lock::lock;

/// Numbers and health of a function's events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AsyncStats {
    /// Logical id.
    pub function: String,
    /// Accepted and not running: new events, and those that will be retried.
    pub waiting: usize,
    /// At the function.
    pub running: usize,
    /// Ended, and not delivered to all destinations.
    pub delivering: usize,
    /// Discarded since the start of the host without reaching a destination.
    pub lost: u64,
    /// Health.
    pub health: SourceHealth,
}

impl AsyncStats {
    /// Events that have not ended or not been delivered.
    pub fn unfinished(&self) -> usize {
        self.waiting + self.running + self.delivering
    }
}

/// The observed health of a function's events.
#[derive(Debug)]
pub(super) struct EventHealth {
    watch: SourceWatch,
    /// Destinations that accept no records at present, and why.
    refused: BTreeMap<EventDestination, String>,
}

impl Default for EventHealth {
    fn default() -> Self {
        Self {
            watch: SourceWatch::new(now()),
            refused: BTreeMap::new(),
        }
    }
}

impl AsyncQueue {
    fn health(
        &self,
        function: &str,
        watch: &mut SourceWatch,
        waiting: Option<WaitingWork>,
    ) -> SourceHealth {
        let now = now();
        watch.waits(now, waiting);
        let health = watch.health(now);
        if self.0.settings.policies.contains_key(function) || waiting.is_none() {
            return health;
        }
        let reason = format!(
            "the template has no function {function}; its events are kept until it has one"
        );
        SourceHealth {
            state: SourceState::Behind,
            reason: Some(reason),
            ..health
        }
    }

    /// Counts a discarded event that reached no destination.
    pub(super) fn lost(&self, function: String) {
        *lock(&self.0.lost).entry(function).or_default() += 1;
    }

    /// Reports the result of an attempt; `error`: its error, or why it did not begin.
    pub(super) fn attempted(&self, function: &str, result: AttemptResult, error: &str) {
        self.observe(function, |health, now| match result {
            AttemptResult::Answered => {
                health.watch.succeeded(now);
                health.watch.progressed(now);
            }
            AttemptResult::Failed | AttemptResult::Never => health.watch.failed(now, error),
            AttemptResult::NotBegun => health
                .watch
                .refused(format!("the function does not begin: {error}")),
            AttemptResult::Stopped => {}
        });
    }

    /// Reports a delivery; `refused`: why the destination did not accept it.
    pub(super) fn delivered(
        &self,
        function: &str,
        target: &EventDestination,
        refused: Option<String>,
    ) {
        self.observe(function, |health, now| {
            match refused {
                Some(why) => {
                    health.watch.noted(now, &why);
                    health.refused.insert(target.clone(), why);
                }
                None => _ = health.refused.remove(target),
            }
            health.watch.problem(
                now,
                health
                    .refused
                    .values()
                    .next()
                    .cloned()
                    .map(SourceProblem::stuck),
            );
        });
    }

    /// Reports that an event of this function could not be created.
    pub(crate) fn not_created(&self, function: &str, why: &str) {
        self.observe(function, |health, now| health.watch.noted(now, why));
    }

    fn observe(&self, function: &str, note: impl FnOnce(&mut EventHealth, Millis)) {
        note(
            lock(&self.0.health).entry(function.to_owned()).or_default(),
            now(),
        );
    }

    /// Numbers and health, by function.
    pub fn stats(&self) -> Vec<AsyncStats> {
        let lost = lock(&self.0.lost).clone();
        let new = |function: &String| AsyncStats {
            function: function.clone(),
            lost: lost.get(function).copied().unwrap_or_default(),
            ..AsyncStats::default()
        };
        let functions = self.0.settings.policies.keys();
        let mut stats: BTreeMap<String, AsyncStats> = functions
            .map(|function| (function.clone(), new(function)))
            .collect();
        let mut oldest: BTreeMap<String, Millis> = BTreeMap::new();
        for (entry, running) in lock(&self.0.machine).overview() {
            let first = oldest
                .entry(entry.function.clone())
                .or_insert(entry.accepted);
            *first = entry.accepted.min(*first);
            // includes functions that the template no longer has
            let of = stats.entry(entry.function.clone()).or_insert_with_key(new);
            match entry.stage {
                EventStage::Ended { .. } => of.delivering += 1,
                EventStage::Waiting { .. } if running => of.running += 1,
                EventStage::Waiting { .. } => of.waiting += 1,
            }
        }
        let mut health = lock(&self.0.health);
        for stats in stats.values_mut() {
            let watch = &mut health.entry(stats.function.clone()).or_default().watch;
            let oldest = oldest.get(&stats.function).copied();
            let waiting = oldest.map(|_| WaitingWork {
                oldest,
                since: oldest,
                in_flight: stats.running > 0,
            });
            stats.health = self.health(&stats.function, watch, waiting);
        }
        stats.into_values().collect()
    }
}
