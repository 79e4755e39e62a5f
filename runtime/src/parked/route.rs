//! The source of a dead letter in a queue.

use std::borrow::Cow;

use sam_template::model::KafkaMapping;
use sam_template::model::sqs::name_of;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::stores::{EventOrigin, QueueSources};
use crate::sources::sqs::DeadLetter;

/// Maximum span of offsets in one failure record: 100 times the largest batch.
const MAX_OFFSETS: i64 = 1_000_000;

/// The target of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReturnRoute {
    /// This queue; the message is unchanged.
    Queue(String),
    /// The failure record refers to these records: they are read from their topic and appended to
    /// it.
    Records(Vec<RecordRange>),
    /// Logical id of a function, and the payload of its asynchronous event.
    Event(String, String),
}

/// A range of records of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRange {
    /// The mapping that reads the topic: it has the addresses and credentials of the cluster.
    pub mapping: KafkaMapping,
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// First offset.
    pub first: i64,
    /// Last offset.
    pub last: i64,
}

/// Derives where a dead letter is replayed to.
///
/// # Errors
/// Why the source is unknown.
pub fn route(sources: &QueueSources, dead: &DeadLetter) -> Result<ReturnRoute, String> {
    let QueueSources {
        queues,
        mappings,
        functions,
    } = sources;
    let body: Option<Value> = strict_json::from_str(&dead.body).ok();
    let batch = body.as_ref().and_then(|body| body.get("KafkaBatchInfo"));
    if let Some(batch) = batch.filter(|_| !mappings.is_empty()) {
        let infos = batch
            .get("recordsInfo")
            .and_then(Value::as_object)
            .ok_or("it names no records (KafkaBatchInfo.recordsInfo)")?;
        let ranges = infos.iter().map(|(name, info)| range(mappings, name, info));
        let ranges: Vec<RecordRange> = ranges.collect::<Result<_, _>>()?;
        let valid = |range: &RecordRange| is_span(range.first, range.last);
        if ranges.is_empty() || !ranges.iter().all(valid) {
            return Err("its offsets are not a valid range".to_owned());
        }
        return Ok(ReturnRoute::Records(ranges));
    }
    if let Some(event) = event(functions, queues.is_empty() && mappings.is_empty(), dead) {
        return event.map(|(function, payload)| ReturnRoute::Event(function, payload));
    }
    let source = dead.source.as_deref().map(name_of);
    match (source, queues.as_slice()) {
        (Some(name), _) if queues.iter().any(|queue| queue == name) => {
            Ok(ReturnRoute::Queue(name.to_owned()))
        }
        (Some(name), _) => Err(format!(
            "it came from queue {name}, which is not one of the template's that fail to here"
        )),
        (None, [only]) if functions.is_empty() => Ok(ReturnRoute::Queue(only.clone())),
        (None, [only]) => Err(format!(
            "it does not contain whether it came from queue {only} or is an event of a function"
        )),
        (None, []) => Err(
            "it is no record of a failed batch or event of the template, and no \
                           queue of the template fails to here"
                .to_owned(),
        ),
        (None, several) => Err(format!(
            "it does not contain from which queue it came: {}",
            several.join(" or ")
        )),
    }
}

/// The records that an entry of `recordsInfo` names.
fn range(mappings: &[KafkaMapping], name: &str, info: &Value) -> Result<RecordRange, String> {
    let place = name.rsplit_once('-');
    let (topic, partition) = place
        .and_then(|(topic, number)| Some((topic, number.parse().ok()?)))
        .ok_or_else(|| format!("{name} is no topic and partition"))?;
    let mapping = mappings
        .iter()
        .find(|mapping| mapping.topics.iter().any(|known| known == topic))
        .ok_or_else(|| format!("no mapping of the template reads topic {topic}"))?;
    let (first, last) = offsets(info).ok_or_else(|| format!("it names no offsets of {name}"))?;
    Ok(RecordRange {
        mapping: mapping.clone(),
        topic: topic.to_owned(),
        partition,
        first,
        last,
    })
}

/// Function and payload of an asynchronous event, if the message is about one: the record of an
/// on-failure destination, or the event itself in a dead-letter queue. `alone`: the queue receives
/// nothing else. A message with a source came by a redrive policy and is not an event.
fn event(
    functions: &[EventOrigin],
    alone: bool,
    dead: &DeadLetter,
) -> Option<Result<(String, String), String>> {
    /// As [`crate::sources::asynchronous`] writes it, in Lambda's format.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Record<'a> {
        request_context: Context<'a>,
        #[serde(borrow)]
        request_payload: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Context<'a> {
        function_arn: Cow<'a, str>,
    }
    if functions.is_empty() || dead.source.is_some() {
        return None;
    }
    let record: Option<Record<'_>> = strict_json::from_str(&dead.body).ok();
    // a message filled by its event has no room for attributes
    if dead.attribute("RequestID").is_some() || (alone && record.is_none()) {
        return Some(match functions {
            [only] => Ok((only.function.clone(), dead.body.clone())),
            several => {
                let names: Vec<&str> = several
                    .iter()
                    .map(|origin| origin.function.as_str())
                    .collect();
                Err(format!(
                    "it does not contain which function's event it was: {}",
                    names.join(" or ")
                ))
            }
        });
    }
    let record = record?;
    let arn = record
        .request_context
        .function_arn
        .trim_end_matches(":$LATEST");
    let Some(origin) = functions.iter().find(|origin| origin.arn == arn) else {
        return Some(Err(format!(
            "it is about the function {arn}, none of whose events the template sends here"
        )));
    };
    Some(match record.request_payload.map(RawValue::get) {
        None | Some("null") => {
            Err("it does not contain the event, which was too large for the record".to_owned())
        }
        Some(payload) => Ok((origin.function.clone(), payload.to_owned())),
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

/// Why the message is a dead letter, as far as it contains that.
pub fn reason(dead: &DeadLetter) -> String {
    let body: Value = strict_json::from_str(&dead.body).unwrap_or_default();
    if let Some(condition) = body["requestContext"]["condition"].as_str() {
        let attempts = body["requestContext"]["approximateInvokeCount"].as_u64();
        let attempts = attempts
            .map(|count| format!(" after {count} attempts"))
            .unwrap_or_default();
        let error = body["responseContext"]["functionError"]
            .as_str()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        return format!("{condition}{attempts}{error}");
    }
    if let Some(message) = dead.attribute("ErrorMessage") {
        return message.to_owned();
    }
    "received too often (maxReceiveCount)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(queues: &[&str]) -> QueueSources {
        QueueSources {
            queues: queues.iter().map(|&queue| queue.to_owned()).collect(),
            ..QueueSources::default()
        }
    }

    #[test]
    fn an_event_returns_to_its_function_unchanged() {
        let origin = |name: &str| EventOrigin {
            function: name.into(),
            arn: format!("arn:aws:lambda:r:0:function:{name}"),
        };
        let store = |functions: &[EventOrigin]| QueueSources {
            functions: functions.to_vec(),
            ..store(&["q"])
        };
        let record = |function: &str, payload: &str| {
            let context =
                format!(r#"{{"functionArn":"arn:aws:lambda:r:0:function:{function}:$LATEST"}}"#);
            let mut dead = DeadLetter::default();
            dead.body = format!(
                r#"{{"version":"1.0","requestContext":{context},"requestPayload":{payload}}}"#
            );
            dead
        };
        let both = store(&[origin("F"), origin("G")]);
        assert_eq!(
            route(&both, &record("G", r#"{"a": 1.0}"#)),
            Ok(ReturnRoute::Event("G".into(), r#"{"a": 1.0}"#.into()))
        );
        assert!(
            route(&both, &record("H", "{}"))
                .unwrap_err()
                .contains("function:H")
        );
        assert!(
            route(&both, &record("F", "null"))
                .unwrap_err()
                .contains("too large")
        );
        // a dead letter without attributes
        let mut bare = DeadLetter::default();
        bare.body = "[1]".into();
        let mut lonely = store(&[origin("F")]);
        assert!(
            route(&lonely, &bare)
                .unwrap_err()
                .contains("queue q or is an event")
        );
        lonely.queues.clear();
        assert_eq!(
            route(&lonely, &bare),
            Ok(ReturnRoute::Event("F".into(), "[1]".into()))
        );
        // a message that a redrive policy moved here is never an event
        let mut redriven = record("F", "{}");
        redriven.source = Some("arn:aws:sqs:r:0:q".into());
        assert_eq!(route(&both, &redriven), Ok(ReturnRoute::Queue("q".into())));
    }

    #[test]
    fn a_message_returns_to_its_source_or_only_queue() {
        let from = |source: Option<&str>| {
            let mut dead = DeadLetter::default();
            dead.source = source.map(str::to_owned);
            dead
        };
        let back = |queue: &str| Ok(ReturnRoute::Queue(queue.to_owned()));
        assert_eq!(route(&store(&["a"]), &from(None)), back("a"));
        assert_eq!(
            route(&store(&["a", "b"]), &from(Some("arn:aws:sqs:r:0:b"))),
            back("b")
        );
        assert!(
            route(&store(&["a", "b"]), &from(None))
                .unwrap_err()
                .contains("a or b")
        );
        assert!(
            route(&store(&["a"]), &from(Some("arn:aws:sqs:r:0:other")))
                .unwrap_err()
                .contains("other")
        );
        assert!(route(&store(&[]), &from(None)).is_err());
    }

    #[test]
    fn offsets_of_any_size_are_compared() {
        assert!(is_span(3, 3) && is_span(0, MAX_OFFSETS - 1));
        assert!(!is_span(3, 2) && !is_span(0, MAX_OFFSETS));
        assert!(!is_span(i64::MIN, i64::MAX) && !is_span(i64::MAX, i64::MIN));
    }

    #[test]
    fn offsets_are_text_or_numbers() {
        let info = serde_json::json!({ "startOffset": "3", "endOffset": 5 });
        assert_eq!(offsets(&info), Some((3, 5)));
        assert_eq!(offsets(&serde_json::json!({ "startOffset": "x" })), None);
    }
}
