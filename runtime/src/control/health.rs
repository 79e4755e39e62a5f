//! Whether the host can do its work: every source answers.

use serde::Serialize;

use super::status::Picture;

/// `GET /health`: 200 when well, else 503.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    status: &'static str,
    /// What is wrong, by mapping.
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
    mapping: String,
    problem: String,
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
    let problems: Vec<Problem> = kafka
        .chain(destinations)
        .chain(queues)
        .filter_map(|(mapping, problem)| Some(Problem { mapping: mapping.clone(), problem: problem.clone()? }))
        .collect();
    let records = picture.mappings.iter().filter(|mapping| mapping.records_lost > 0).map(|mapping| Alarm {
        of: mapping.mapping.clone(),
        alarm: format!(
            "{} records were given up for their size, and no destination holds them; the log names each",
            mapping.records_lost
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
    let alarms = records.chain(events).chain(keys).collect();
    Health { status: if problems.is_empty() { "ok" } else { "degraded" }, problems, alarms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::MappingStatus;

    #[test]
    fn a_source_that_does_not_answer_is_named() {
        let away = MappingStatus { mapping: "Orders".into(), problem: Some("Kafka is away".into()), ..MappingStatus::default() };
        let picture = Picture { mappings: vec![MappingStatus::default(), away], ..Picture::default() };
        let health = judge(&picture);
        assert_eq!((health.is_well(), health.problems.len(), health.problems[0].mapping.as_str()), (false, 1, "Orders"));
        assert!(judge(&Picture::default()).is_well());
    }

    #[test]
    fn what_was_lost_is_named_and_leaves_the_host_well() {
        let lost = MappingStatus { mapping: "Orders".into(), records_lost: 2, ..MappingStatus::default() };
        let health = judge(&Picture { mappings: vec![lost], ..Picture::default() });
        assert!(health.is_well() && health.alarms[0].of == "Orders" && health.alarms[0].alarm.starts_with("2 records"));
    }
}
