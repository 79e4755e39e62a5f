//! Whether the host can do its work: no source is failing, stuck, missing or away, and every
//! component runs.

use std::collections::BTreeSet;

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceState};
use serde::Serialize;

use super::status::HostStatus;
use crate::sources::kafka::{MappingStatus, PartitionStatus};

const RECORDS_LOST: &str = "records were given up for their size, and no destination holds them; \
                            the log names each";
const RECORDS_DELETED_UNREAD: &str = "records were deleted from their topic before they were read \
                                      (retention, or DeleteRecords); the log names their offsets. \
                                      Raise retention.ms of the topic, or have the mapping keep up";
const LOGS_REPLACED: &str = "partitions have another log than before (a topic that was created \
                             again, or a log that was cut) and were read from its start; the log \
                             names each";
const EVENTS_LOST: &str = "asynchronous events were given up without a record; the log names each";

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
    /// A mapping or a function.
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

/// The source of a problem.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Mapping(&'a str),
    Events(&'a str),
}

impl Problem {
    fn of(source: Source<'_>, health: &SourceHealth) -> Option<Self> {
        let (mapping, function) = match source {
            Source::Mapping(mapping) => (Some(mapping.to_owned()), None),
            Source::Events(function) => (None, Some(function.to_owned())),
        };
        let why = health.problem()?;
        Some(Self {
            mapping,
            function,
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
    let kafka = status.mappings.iter().flat_map(of_mapping);
    let queues = status
        .queues
        .iter()
        .filter_map(|queue| Problem::of(Source::Mapping(&queue.mapping), &queue.health));
    let events = status
        .events
        .iter()
        .filter_map(|events| Problem::of(Source::Events(&events.function), &events.health));
    let parts = status.parts.iter().filter_map(|part| {
        let why = part.problem.clone()?;
        Some(Problem {
            part: Some(part.part.clone()),
            why,
            ..Problem::default()
        })
    });
    let problems: Vec<Problem> = kafka.chain(queues).chain(events).chain(parts).collect();
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

/// A problem for each unwell partition, or one for the mapping where its reason is of no partition.
fn of_mapping(mapping: &MappingStatus) -> Vec<Problem> {
    let source = Source::Mapping(&mapping.mapping);
    let (worst, others): (Vec<&PartitionStatus>, Vec<&PartitionStatus>) = mapping
        .partitions
        .iter()
        .partition(|partition| partition.health.state == mapping.health.state);
    let of = |partition: &PartitionStatus| Problem::of(source, &partition.health);
    let mut problems: Vec<Problem> = worst.into_iter().filter_map(of).collect();
    let own = Problem::of(source, &mapping.health);
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
    let mut alarms = Vec::new();
    let mut add = |of: &str, count: u64, text: &str| {
        if count > 0 {
            alarms.push(Alarm {
                of: of.to_owned(),
                alarm: format!("{count} {text}"),
            });
        }
    };
    for mapping in &status.mappings {
        add(&mapping.mapping, mapping.records_lost, RECORDS_LOST);
        let deleted = mapping.records_deleted_unread;
        add(&mapping.mapping, deleted, RECORDS_DELETED_UNREAD);
        add(&mapping.mapping, mapping.logs_replaced, LOGS_REPLACED);
    }
    for events in &status.events {
        add(&events.function, events.lost, EVENTS_LOST);
    }
    let keys = status.keys.iter().filter_map(|keys| {
        let problem = keys.problem.as_deref()?;
        Some(Alarm {
            of: keys.source.clone(),
            alarm: format!("keys for tokens stay as they were: {problem}"),
        })
    });
    alarms.extend(keys);
    alarms
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::ComponentStatus;

    #[test]
    fn a_source_that_does_not_answer_is_named() {
        let health = SourceHealth {
            state: SourceState::Away,
            reason: Some("Kafka is away".into()),
            ..SourceHealth::default()
        };
        let away = MappingStatus {
            mapping: "Orders".into(),
            health,
            ..MappingStatus::default()
        };
        let status = HostStatus {
            mappings: vec![MappingStatus::default(), away],
            ..HostStatus::default()
        };
        let health = assess(&status);
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
    fn every_unwell_partition_is_named_and_one_that_is_behind_is_not() {
        let partition = |state: SourceState, reason: &str| {
            let health = SourceHealth {
                state,
                reason: Some(reason.to_owned()),
                ..SourceHealth::default()
            };
            PartitionStatus {
                health,
                ..PartitionStatus::default()
            }
        };
        let partitions = vec![
            partition(SourceState::Behind, "slow"),
            partition(SourceState::Stuck, "one"),
            partition(SourceState::Failing, "two"),
            partition(SourceState::Stuck, "three"),
        ];
        let health = SourceHealth::of_parts(partitions.iter().map(|partition| &partition.health));
        let mapping = MappingStatus {
            mapping: "Orders".into(),
            health,
            partitions,
            ..MappingStatus::default()
        };
        let health = assess(&HostStatus {
            mappings: vec![mapping],
            ..HostStatus::default()
        });
        assert_eq!(
            health
                .problems
                .iter()
                .map(|problem| problem.why.as_str())
                .collect::<Vec<_>>(),
            ["one", "three", "two"]
        );
    }

    #[test]
    fn what_was_lost_is_named_and_leaves_the_host_well() {
        let lost = MappingStatus {
            mapping: "Orders".into(),
            records_lost: 2,
            ..MappingStatus::default()
        };
        let health = assess(&HostStatus {
            mappings: vec![lost],
            ..HostStatus::default()
        });
        assert!(
            health.is_well()
                && health.alarms[0].of == "Orders"
                && health.alarms[0].alarm.starts_with("2 records")
        );
        let deleted = MappingStatus {
            records_deleted_unread: 40,
            logs_replaced: 3,
            ..MappingStatus::default()
        };
        let alarms = assess(&HostStatus {
            mappings: vec![deleted],
            ..HostStatus::default()
        })
        .alarms;
        assert!(
            alarms[0].alarm.starts_with("40 records were deleted")
                && alarms[1].alarm.starts_with("3 partitions")
        );
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
