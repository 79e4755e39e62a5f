//! Everything observed while a host runs, and snapshots of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;

use super::alarms::alarm_of;
use super::{
    AlarmCounts, FailureGroup, Failures, Histogram, Recent, Renamed, Series, points, shortened,
};
use crate::invocation::Trigger;
use crate::lock::lock;

/// Invocations, and groups of failures, remembered.
const REMEMBERED: usize = 100;

/// Longest error message kept, bytes.
const LONGEST_MESSAGE: usize = 2_000;

/// An invocation that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ended {
    /// Time of its end, milliseconds since 1970.
    pub at_ms: u64,
    /// Logical id of the function.
    pub function: String,
    /// Request id.
    pub request_id: String,
    /// What caused it.
    pub trigger: Trigger,
    /// Records of the batch; 0 if the event is no batch.
    pub records: usize,
    /// From delivery to response, milliseconds.
    pub duration_ms: f64,
    /// Initialisation before the first invocation of an instance, milliseconds.
    pub init_ms: Option<f64>,
    /// The failure; `None` after a success.
    pub error: Option<Failure>,
}

/// One of the last invocations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecentInvocation {
    /// Counted from 1 since the start. Unique, unlike the request id, which the retries of an event
    /// share.
    pub number: u64,
    /// Its result.
    #[serde(flatten)]
    pub ended: Ended,
}

/// How an invocation failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// `errorType`.
    pub error_type: String,
    /// `errorMessage`, shortened.
    pub message: String,
}

impl Failure {
    /// Shortens texts that come from a function.
    pub fn new(error_type: &str, message: &str) -> Self {
        Self {
            error_type: shortened(error_type, 200),
            message: shortened(message, LONGEST_MESSAGE),
        }
    }
}

/// Durations of a function's invocations and initialisations.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    /// From delivery to response.
    pub invocations: Histogram,
    /// From the start of a process to its first request for an event.
    pub inits: Histogram,
}

#[derive(Debug)]
struct State {
    durations: BTreeMap<String, Durations>,
    invocations: Recent<Ended>,
    failures: Recent<Ended>,
    groups: Failures,
    series: Series,
    alarms: AlarmCounts,
}

/// Everything observed of one host. Clones share it.
#[derive(Debug, Clone)]
pub struct Observations(Arc<Mutex<State>>);

impl Default for Observations {
    fn default() -> Self {
        let state = State {
            durations: BTreeMap::new(),
            invocations: Recent::new(REMEMBERED),
            failures: Recent::new(REMEMBERED),
            groups: Failures::new(REMEMBERED),
            series: Series::default(),
            alarms: AlarmCounts::default(),
        };
        Self(Arc::new(Mutex::new(state)))
    }
}

impl Observations {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// Counts an invocation and keeps it as recent.
    pub fn ended(&self, ended: Ended) {
        let duration = |ms: f64| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        let mut state = self.state();
        let durations = state.durations.entry(ended.function.clone()).or_default();
        durations.invocations.observe(duration(ended.duration_ms));
        if let Some(init) = ended.init_ms {
            durations.inits.observe(duration(init));
        }
        if ended.error.is_some() {
            state.failures.push(ended.clone());
            state.groups.add(ended.clone());
        }
        state.invocations.push(ended);
    }

    /// Adds the metrics of a line that a function printed, and counts its alarm. Returns each
    /// metric or dimension once whose plain name was taken.
    pub fn printed(&self, function: &str, line: &str) -> Vec<Renamed> {
        if let Some(alarm) = alarm_of(line) {
            self.state().alarms.printed(function, &alarm);
        }
        let points = points(line);
        if points.is_empty() {
            return Vec::new();
        }
        let mut state = self.state();
        points
            .into_iter()
            .flat_map(|point| state.series.add(function, point))
            .collect()
    }

    /// Observer of one function.
    pub fn of(&self, function: &str) -> FunctionObserver {
        FunctionObserver {
            function: function.to_owned(),
            observations: self.clone(),
        }
    }

    /// Durations by function.
    pub fn durations(&self) -> BTreeMap<String, Durations> {
        self.state().durations.clone()
    }

    /// The last invocations, newest first.
    pub fn invocations(&self) -> Vec<RecentInvocation> {
        let numbered = |(number, ended): (u64, &Ended)| RecentInvocation {
            number,
            ended: ended.clone(),
        };
        self.state().invocations.numbered().map(numbered).collect()
    }

    /// The last failures, newest first: successes do not displace them.
    pub fn failures(&self) -> Vec<Ended> {
        self.state().failures.newest().cloned().collect()
    }

    /// Groups of similar failures, newest first: many failures of one kind do not displace another
    /// kind.
    pub fn failure_groups(&self) -> Vec<FailureGroup> {
        self.state().groups.newest().cloned().collect()
    }

    /// Metrics that functions printed.
    pub fn series(&self) -> Series {
        self.state().series.clone()
    }

    /// Alarms that functions printed.
    pub fn alarms(&self) -> AlarmCounts {
        self.state().alarms.clone()
    }
}

/// Observes one function.
#[derive(Debug, Clone)]
pub struct FunctionObserver {
    function: String,
    observations: Observations,
}

impl FunctionObserver {
    /// Counts an invocation under this function's name.
    pub fn ended(&self, ended: Ended) {
        self.observations.ended(Ended {
            function: self.function.clone(),
            ..ended
        });
    }

    /// A printed line: see [`Observations::printed`].
    pub fn printed(&self, line: &str) -> Vec<Renamed> {
        self.observations.printed(&self.function, line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(n: usize, error: Option<Failure>) -> Ended {
        let function = String::new();
        let request_id = n.to_string();
        Ended {
            at_ms: n as u64,
            function,
            request_id,
            trigger: Trigger::Event,
            records: 0,
            duration_ms: 2.0,
            init_ms: None,
            error,
        }
    }

    #[test]
    fn successes_do_not_displace_a_failure() {
        let observations = Observations::default();
        let observer = observations.of("F");
        observer.ended(ended(0, Some(Failure::new("Oops", &"x".repeat(9_999)))));
        (1..500).for_each(|n| observer.ended(ended(n, None)));
        let failures = observations.failures();
        assert_eq!((failures.len(), failures[0].function.as_str()), (1, "F"));
        assert_eq!(observations.failure_groups()[0].last, failures[0]);
        assert!(failures[0].error.as_ref().unwrap().message.len() < 2_100);
        assert_eq!(observations.invocations().len(), REMEMBERED);
        let newest = observations.invocations().remove(0);
        assert_eq!(
            (newest.number, newest.ended.request_id.as_str()),
            (500, "499")
        );
        assert_eq!(observations.durations()["F"].invocations.count(), 500);
    }
}
