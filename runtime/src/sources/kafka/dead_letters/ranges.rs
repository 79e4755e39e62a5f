//! Failure records in a queue. They name offsets: their records are read from the topic again and
//! appended to it.

use std::fmt;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::KafkaMapping;
use serde_json::Value;

use super::{records, topic_names};
use crate::client::InvokeClient;
use crate::parked::{DeadLetterError, QueueOrigin, SourceReturn};
use crate::sources::sqs::DeadLetter;

/// Maximum span of offsets in one failure record: 100 times the largest batch.
const MAX_OFFSETS: i64 = 1_000_000;

/// The mappings whose on-failure destination a queue is.
#[derive(Debug, Default)]
pub(super) struct FailedRecords {
    pub(super) mappings: Vec<KafkaMapping>,
}

/// A range of records of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordRange {
    /// The mapping that reads the topic: it has the addresses and credentials of the cluster.
    pub(super) mapping: KafkaMapping,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// The records that a failure record names.
#[derive(Debug)]
struct NamedRecords(Vec<RecordRange>);

/// Why a failure record names no records.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum RangeError {
    #[error("it names no records (KafkaBatchInfo.recordsInfo)")]
    NoRecords,
    #[error("its offsets are not a valid range")]
    InvalidRange,
    #[error("{0} is no topic and partition")]
    NoPartition(String),
    #[error("no mapping of the template reads topic {0}")]
    UnknownTopic(String),
    #[error("it names no offsets of {0}")]
    NoOffsets(String),
}

impl fmt::Display for RecordRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} offsets {} to {}",
            self.topic, self.partition, self.first, self.last
        )
    }
}

impl QueueOrigin for FailedRecords {
    fn sources(&self) -> Vec<String> {
        topic_names(&self.mappings)
    }

    fn route(
        &self,
        dead: &DeadLetter,
        _alone: bool,
    ) -> Option<Result<Box<dyn SourceReturn>, DeadLetterError>> {
        let body: Value = strict_json::from_str(&dead.body).ok()?;
        let batch = body.get("KafkaBatchInfo")?;
        Some(match ranges(&self.mappings, batch) {
            Ok(ranges) => Ok(Box::new(NamedRecords(ranges))),
            Err(why) => Err(why.into()),
        })
    }
}

impl SourceReturn for NamedRecords {
    fn to(&self) -> String {
        let ranges: Vec<String> = self.0.iter().map(RecordRange::to_string).collect();
        ranges.join(", ")
    }

    fn replay(
        self: Box<Self>,
        _host: Option<&InvokeClient>,
    ) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
        async { Ok(records::append_again(self.0).await?) }.boxed()
    }
}

fn ranges(mappings: &[KafkaMapping], batch: &Value) -> Result<Vec<RecordRange>, RangeError> {
    let infos = batch.get("recordsInfo").and_then(Value::as_object);
    let infos = infos.ok_or(RangeError::NoRecords)?;
    let ranges = infos.iter().map(|(name, info)| range(mappings, name, info));
    let ranges: Vec<RecordRange> = ranges.collect::<Result<_, _>>()?;
    let valid = |range: &RecordRange| is_span(range.first, range.last);
    if ranges.is_empty() || !ranges.iter().all(valid) {
        return Err(RangeError::InvalidRange);
    }
    Ok(ranges)
}

/// The records that an entry of `recordsInfo` names.
fn range(mappings: &[KafkaMapping], name: &str, info: &Value) -> Result<RecordRange, RangeError> {
    let place = name.rsplit_once('-');
    let (topic, partition) = place
        .and_then(|(topic, number)| Some((topic, number.parse().ok()?)))
        .ok_or_else(|| RangeError::NoPartition(name.to_owned()))?;
    let mapping = mappings
        .iter()
        .find(|mapping| mapping.topics.iter().any(|known| known == topic))
        .ok_or_else(|| RangeError::UnknownTopic(topic.to_owned()))?;
    let (first, last) = offsets(info).ok_or_else(|| RangeError::NoOffsets(name.to_owned()))?;
    Ok(RecordRange {
        mapping: mapping.clone(),
        topic: topic.to_owned(),
        partition,
        first,
        last,
    })
}

/// Offsets are text in the service's records and numbers in some others.
fn offsets(info: &Value) -> Option<(i64, i64)> {
    let one = |names: [&str; 2]| {
        let value = names.iter().find_map(|name| info.get(name))?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    };
    Some((
        one(["startOffset", "firstRecordOffset"])?,
        one(["endOffset", "lastRecordOffset"])?,
    ))
}

/// Whether the offsets are in order and not too many. They come from the message: any number may be
/// there.
fn is_span(first: i64, last: i64) -> bool {
    let span = last.checked_sub(first);
    span.is_some_and(|span| (0..MAX_OFFSETS).contains(&span))
}

#[cfg(test)]
mod tests {
    use sam_template::model::KafkaKind;
    use serde_json::json;

    use super::*;
    use crate::sources::kafka::discards::tests::mapping;

    #[test]
    fn a_failure_record_names_its_records() {
        let mapping = mapping(KafkaKind::SelfManaged);
        let topic = mapping.topics[0].clone();
        let failed = FailedRecords {
            mappings: vec![mapping],
        };
        let routed = |info: Value| {
            let mut dead = DeadLetter::default();
            dead.body = json!({ "KafkaBatchInfo": info }).to_string();
            let routed = failed.route(&dead, false)?;
            Some(routed.map_or_else(|why| why.to_string(), |records| records.to()))
        };
        let named =
            |name: &str| json!({ "recordsInfo": { name: { "startOffset": "1", "endOffset": 2 } } });
        assert_eq!(
            routed(named(&format!("{topic}-3"))),
            Some(format!("{topic} 3 offsets 1 to 2"))
        );
        assert_eq!(
            routed(named("other-3")),
            Some(RangeError::UnknownTopic("other".into()).to_string())
        );
        assert_eq!(routed(json!({})), Some(RangeError::NoRecords.to_string()));
        let mut other = DeadLetter::default();
        other.body = "{}".into();
        assert!(failed.route(&other, true).is_none());
    }

    #[test]
    fn offsets_of_any_size_are_compared() {
        assert!(is_span(3, 3) && is_span(0, MAX_OFFSETS - 1));
        assert!(!is_span(3, 2) && !is_span(0, MAX_OFFSETS));
        assert!(!is_span(i64::MIN, i64::MAX) && !is_span(i64::MAX, i64::MIN));
    }

    #[test]
    fn offsets_are_text_or_numbers() {
        let info = json!({ "startOffset": "3", "endOffset": 5 });
        assert_eq!(offsets(&info), Some((3, 5)));
        assert_eq!(offsets(&json!({ "startOffset": "x" })), None);
    }
}
