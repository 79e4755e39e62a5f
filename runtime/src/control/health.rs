//! Whether the host can do its work: every source answers, and every part runs.

use serde::Serialize;

use super::status::Picture;

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

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Problem {
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part: Option<String>,
    #[serde(rename = "problem")]
    why: String,
}

impl Health {
    pub(super) fn is_well(&self) -> bool {
        self.problems.is_empty()
    }
}

pub(super) fn judge(picture: &Picture) -> Health {
    let kafka = picture.mappings.iter().map(|mapping| (&mapping.mapping, &mapping.problem));
    let queues = picture.queues.iter().map(|queue| (&queue.mapping, &queue.problem));
    let destinations = picture.mappings.iter().map(|mapping| (&mapping.mapping, &mapping.destination_problem));
    let sources = kafka
        .chain(destinations)
        .chain(queues)
        .filter_map(|(mapping, problem)| Some(Problem { mapping: Some(mapping.clone()), part: None, why: problem.clone()? }));
    let parts = picture
        .parts
        .iter()
        .filter_map(|part| Some(Problem { mapping: None, part: Some(part.part.clone()), why: part.problem.clone()? }));
    let problems: Vec<Problem> = sources.chain(parts).collect();
    Health { status: if problems.is_empty() { "ok" } else { "degraded" }, problems, alarms: alarms(picture) }
}

/// What was lost since the start, and keys that cannot be read again.
fn alarms(picture: &Picture) -> Vec<Alarm> {
    let records = picture.mappings.iter().filter(|mapping| mapping.records_lost > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} records were given up for their size, and no destination holds them; the log names each",
            mapping.records_lost
        ),
    });
    let deleted = picture.mappings.iter().filter(|mapping| mapping.records_deleted_unread > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} records were deleted from their topic before they were read (retention, or DeleteRecords); the log names their offsets. \
             Raise retention.ms of the topic, or have the mapping keep up",
            mapping.records_deleted_unread
        ),
    });
    let replaced = picture.mappings.iter().filter(|mapping| mapping.logs_replaced > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} partitions have another log than before (a topic that was created again, or a log that was cut) and were read from its \
             start; the log names each",
            mapping.logs_replaced
        ),
    });
    let events = picture.events.iter().filter(|events| events.lost > 0).map(|events| Alarm {
        of: events.function.clone(),
        alarm: format!("{} asynchronous events were given up without a record; the log names each", events.lost),
    });
    let keys = picture.keys.iter().filter_map(|keys| {
        let problem = keys.problem.as_deref()?;
        Some(Alarm { of: keys.source.clone(), alarm: format!("keys for tokens stay as they were: {problem}") })
    });
    records.chain(deleted).chain(replaced).chain(events).chain(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::MappingStatus;
    use crate::supervision::PartStatus;

    #[test]
    fn a_source_that_does_not_answer_is_named() {
        let away = MappingStatus { mapping: "Orders".into(), problem: Some("Kafka is away".into()), ..MappingStatus::default() };
        let picture = Picture { mappings: vec![MappingStatus::default(), away], ..Picture::default() };
        let health = judge(&picture);
        assert_eq!((health.is_well(), health.problems.len(), health.problems[0].mapping.as_deref()), (false, 1, Some("Orders")));
        assert!(judge(&Picture::default()).is_well());
    }

    #[test]
    fn what_was_lost_is_named_and_leaves_the_host_well() {
        let lost = MappingStatus { mapping: "Orders".into(), records_lost: 2, ..MappingStatus::default() };
        let health = judge(&Picture { mappings: vec![lost], ..Picture::default() });
        assert!(health.is_well() && health.alarms[0].of == "Orders" && health.alarms[0].alarm.starts_with("2 records"));
        let deleted = MappingStatus { records_deleted_unread: 40, logs_replaced: 3, ..MappingStatus::default() };
        let alarms = judge(&Picture { mappings: vec![deleted], ..Picture::default() }).alarms;
        assert!(alarms[0].alarm.starts_with("40 records were deleted") && alarms[1].alarm.starts_with("3 partitions"));
    }

    #[test]
    fn a_part_that_ended_is_named() {
        let part = |up: bool| PartStatus {
            part: "schedule Tick".into(),
            up,
            restarts: 1,
            problem: (!up).then(|| "it panicked".to_owned()),
        };
        let health = judge(&Picture { parts: vec![part(false), part(true)], ..Picture::default() });
        assert_eq!((health.problems.len(), health.problems[0].part.as_deref()), (1, Some("schedule Tick")));
    }
}
