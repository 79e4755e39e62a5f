//! Whether the host can do its work: no source is failing, stuck, missing or away, and every
//! component runs.

use std::collections::BTreeSet;

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceState};
use serde::Serialize;

use super::status::HostStatus;
use crate::sources::{SourceStatus, SourceSubject};

/// `GET /health`: 200 when well, else 503.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    status: &'static str,
    /// Why the host is degraded.
    problems: Vec<Problem>,
    /// What needs an operator and does not degrade the host: losses since the start, keys that
    /// cannot be refreshed.
    alarms: Vec<Alarm>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Alarm {
    /// A source.
    of: String,
    alarm: String,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Problem {
    /// A mapping of a topic or a queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<String>,
    /// A function, for its asynchronous events.
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    /// The state of a source.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<SourceState>,
    /// Since when a source is in that state.
    #[serde(skip_serializing_if = "Option::is_none")]
    since_ms: Option<Millis>,
    #[serde(rename = "problem")]
    why: String,
}

impl Problem {
    fn of(source: &SourceStatus, health: &SourceHealth) -> Option<Self> {
        let why = health.problem()?;
        let id = |subject| (source.subject == subject).then(|| source.id.clone());
        Some(Self {
            mapping: id(SourceSubject::Mapping),
            function: id(SourceSubject::Function),
            schedule: id(SourceSubject::Schedule),
            part: None,
            state: Some(health.state),
            since_ms: Some(health.since_ms),
            why,
        })
    }
}

impl Health {
    pub(super) fn is_well(&self) -> bool {
        self.problems.is_empty()
    }
}

pub(super) fn assess(status: &HostStatus) -> Health {
    let sources = status.sources.iter();
    let sources = sources.flat_map(|(_, source)| of_source(source));
    let parts = status.parts.iter().filter_map(|part| {
        let why = part.problem.clone()?;
        Some(Problem {
            part: Some(part.part.clone()),
            why,
            ..Problem::default()
        })
    });
    let problems: Vec<Problem> = sources.chain(parts).collect();
    Health {
        status: if problems.is_empty() {
            "ok"
        } else {
            "degraded"
        },
        problems,
        alarms: alarms(status),
    }
}

/// A problem for each unwell part, or one for the source where its reason is of no part.
fn of_source(source: &SourceStatus) -> Vec<Problem> {
    let is_worst = |part: &&SourceHealth| part.state == source.health.state;
    let (worst, others): (Vec<_>, Vec<_>) = source.parts.iter().partition(is_worst);
    let of = |health: &SourceHealth| Problem::of(source, health);
    let mut problems: Vec<Problem> = worst.into_iter().filter_map(of).collect();
    let own = of(&source.health);
    let reason = own.as_ref().map(|own| &own.why);
    if !problems.iter().any(|problem| Some(&problem.why) == reason) {
        problems = own.into_iter().collect();
    }
    problems.extend(others.into_iter().filter_map(of));
    let mut reasons = BTreeSet::new();
    problems.retain(|problem| reasons.insert(problem.why.clone()));
    problems
}

/// Losses since the start, and keys that cannot be refreshed.
fn alarms(status: &HostStatus) -> Vec<Alarm> {
    let of_source = |source: &SourceStatus| {
        let of = source.id.clone();
        let alarms = source.alarms.clone().into_iter();
        alarms.map(move |alarm| Alarm {
            of: of.clone(),
            alarm,
        })
    };
    let sources = status.sources.iter();
    let sources = sources.flat_map(|(_, source)| of_source(source));
    let keys = status.keys.iter().filter_map(|keys| {
        let problem = keys.problem.as_deref()?;
        Some(Alarm {
            of: keys.source.clone(),
            alarm: format!("keys for tokens stay as they were: {problem}"),
        })
    });
    sources.chain(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::{KINDS, KindStatus};
    use crate::supervision::ComponentStatus;

    fn host(sources: impl IntoIterator<Item = SourceStatus>) -> HostStatus {
        let of_kind = |source| -> KindStatus { (KINDS[0], source) };
        HostStatus {
            sources: sources.into_iter().map(of_kind).collect(),
            ..HostStatus::default()
        }
    }

    fn health(state: SourceState, reason: &str) -> SourceHealth {
        SourceHealth {
            state,
            reason: Some(reason.to_owned()),
            ..SourceHealth::default()
        }
    }

    #[test]
    fn a_source_that_does_not_answer_is_named() {
        let away = SourceStatus {
            id: "Orders".into(),
            health: health(SourceState::Away, "Kafka is away"),
            ..SourceStatus::default()
        };
        let health = assess(&host([SourceStatus::default(), away]));
        assert_eq!(
            (
                health.is_well(),
                health.problems.len(),
                health.problems[0].mapping.as_deref()
            ),
            (false, 1, Some("Orders"))
        );
        assert!(assess(&HostStatus::default()).is_well());
    }

    #[test]
    fn every_unwell_part_is_named_and_one_that_is_behind_is_not() {
        let parts = vec![
            health(SourceState::Behind, "slow"),
            health(SourceState::Stuck, "one"),
            health(SourceState::Failing, "two"),
            health(SourceState::Stuck, "three"),
        ];
        let source = SourceStatus {
            id: "Orders".into(),
            health: SourceHealth::of_parts(&parts),
            parts,
            ..SourceStatus::default()
        };
        let problems = assess(&host([source])).problems;
        let reasons: Vec<&str> = problems.iter().map(|problem| &*problem.why).collect();
        assert_eq!(reasons, ["one", "three", "two"]);
    }

    #[test]
    fn what_was_lost_is_named_and_leaves_the_host_well() {
        let mut lost = SourceStatus {
            id: "Orders".into(),
            ..SourceStatus::default()
        };
        lost.add_loss(2, "records were lost");
        lost.add_loss(0, "others were lost");
        let health = assess(&host([lost]));
        let alarm = Alarm {
            of: "Orders".into(),
            alarm: "2 records were lost".into(),
        };
        assert!(health.is_well());
        assert_eq!(health.alarms, [alarm]);
    }

    #[test]
    fn a_part_that_ended_is_named() {
        let part = |up: bool| ComponentStatus {
            part: "schedule Tick".into(),
            up,
            restarts: 1,
            problem: (!up).then(|| "it panicked".to_owned()),
        };
        let health = assess(&HostStatus {
            parts: vec![part(false), part(true)],
            ..HostStatus::default()
        });
        assert_eq!(
            (health.problems.len(), health.problems[0].part.as_deref()),
            (1, Some("schedule Tick"))
        );
    }
}
