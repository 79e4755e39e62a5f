//! Whether the host can do its work: every source answers, and every part runs.

use serde::Serialize;

use super::status::Picture;

/// `GET /health`: 200 when well, else 503.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    status: &'static str,
    /// What is wrong, by mapping or part.
    problems: Vec<Problem>,
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
    let sources = kafka
        .chain(queues)
        .filter_map(|(mapping, problem)| Some(Problem { mapping: Some(mapping.clone()), part: None, why: problem.clone()? }));
    let parts = picture
        .parts
        .iter()
        .filter_map(|part| Some(Problem { mapping: None, part: Some(part.part.clone()), why: part.problem.clone()? }));
    let problems: Vec<Problem> = sources.chain(parts).collect();
    Health { status: if problems.is_empty() { "ok" } else { "degraded" }, problems }
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
