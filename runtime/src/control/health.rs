//! Whether the host can do its work: no source is failing, stuck, missing or away, and every part runs.

use event_sources::Millis;
use std::collections::BTreeSet;

use serde::Serialize;

use super::status::HostStatus;
use crate::kafka::{MappingStatus, PartitionStatus};
use event_sources::health::{SourceHealth, SourceState};

/// `GET /health`: 200 when well, else 503.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    status: &'static str,
    /// What is wrong, by mapping or part.
    problems: Vec<Problem>,
    /// What needs an operator and does not make the host unwell: what was lost since the start, keys that cannot be read again.
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

/// Which source a problem is of.
#[derive(Debug, Clone, Copy)]
enum Of<'a> {
    Mapping(&'a str),
    Events(&'a str),
}

impl Problem {
    fn of(of: Of<'_>, health: &SourceHealth) -> Option<Self> {
        let (mapping, function) = match of {
            Of::Mapping(mapping) => (Some(mapping.to_owned()), None),
            Of::Events(function) => (None, Some(function.to_owned())),
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
        .filter_map(|queue| Problem::of(Of::Mapping(&queue.mapping), &queue.health));
    let events = status
        .events
        .iter()
        .filter_map(|events| Problem::of(Of::Events(&events.function), &events.health));
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

/// A problem for each partition that is unwell; where the mapping as a whole is, that one.
fn of_mapping(mapping: &MappingStatus) -> Vec<Problem> {
    let of = Of::Mapping(&mapping.mapping);
    let parts = mapping
        .partitions
        .iter()
        .filter(|partition| partition.health.state == mapping.health.state);
    let mut problems: Vec<Problem> = parts
        .filter_map(|partition| Problem::of(of, &partition.health))
        .collect();
    // a fault of the whole mapping has no partition with the same reason
    if !problems
        .iter()
        .any(|problem| Some(&problem.why) == mapping.health.problem().as_ref())
    {
        problems = Problem::of(of, &mapping.health).into_iter().collect();
    }
    let better = |partition: &&PartitionStatus| partition.health.state != mapping.health.state;
    problems.extend(
        mapping
            .partitions
            .iter()
            .filter(better)
            .filter_map(|partition| Problem::of(of, &partition.health)),
    );
    let mut named = BTreeSet::new();
    problems.retain(|problem| named.insert(problem.why.clone()));
    problems
}

/// What was lost since the start, and keys that cannot be read again.
fn alarms(status: &HostStatus) -> Vec<Alarm> {
    let records = status.mappings.iter().filter(|mapping| mapping.records_lost > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} records were given up for their size, and no destination holds them; the log names each",
            mapping.records_lost
        ),
    });
    let deleted = status.mappings.iter().filter(|mapping| mapping.records_deleted_unread > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} records were deleted from their topic before they were read (retention, or DeleteRecords); the log names their offsets. \
             Raise retention.ms of the topic, or have the mapping keep up",
            mapping.records_deleted_unread
        ),
    });
    let replaced = status.mappings.iter().filter(|mapping| mapping.logs_replaced > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} partitions have another log than before (a topic that was created again, or a log that was cut) and were read from its \
             start; the log names each",
            mapping.logs_replaced
        ),
    });
    let events = status
        .events
        .iter()
        .filter(|events| events.lost > 0)
        .map(|events| Alarm {
            of: events.function.clone(),
            alarm: format!(
                "{} asynchronous events were given up without a record; the log names each",
                events.lost
            ),
        });
    let keys = status.keys.iter().filter_map(|keys| {
        let problem = keys.problem.as_deref()?;
        Some(Alarm {
            of: keys.source.clone(),
            alarm: format!("keys for tokens stay as they were: {problem}"),
        })
    });
    records
        .chain(deleted)
        .chain(replaced)
        .chain(events)
        .chain(keys)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervision::PartStatus;

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
        let part = |up: bool| PartStatus {
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
