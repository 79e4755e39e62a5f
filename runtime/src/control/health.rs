//! Whether the host can do its work: every source answers.

use serde::Serialize;

use super::status::Picture;

/// `GET /health`: 200 when well, else 503.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Health {
    status: &'static str,
    /// What is wrong, by mapping.
    problems: Vec<Problem>,
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
    let problems: Vec<Problem> = kafka
        .chain(queues)
        .filter_map(|(mapping, problem)| Some(Problem { mapping: mapping.clone(), problem: problem.clone()? }))
        .collect();
    Health { status: if problems.is_empty() { "ok" } else { "degraded" }, problems }
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
}
