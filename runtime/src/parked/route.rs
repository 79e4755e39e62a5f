//! Where a letter came from.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::places::{Origin, Place, Store};
use crate::model::KafkaMapping;
use crate::model::sqs::name_of;
use crate::sqs::Letter;

/// Records of one letter at most: those of the largest batch.
const MOST_RECORDS: i64 = 10_000;

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To this queue, as it is.
    Queue(String),
    /// The letter only names records: they are read from their topic and written to its end.
    Records(Vec<Range>),
    /// To this function, by logical id, as an asynchronous event.
    Event(String, String),
}

/// Records of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The mapping that reads it: how the cluster is reached, whatever the letter says.
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

/// Decides where a letter of a queue goes back to.
///
/// # Errors
/// Why that cannot be said.
pub fn route(place: &Place, letter: &Letter) -> Result<Route, String> {
    let Store::Queue {
        queues,
        mappings,
        functions,
    } = &place.store
    else {
        return Err("only a queue's letters are brought back one by one".to_owned());
    };
    let body: Option<Value> = strict_json::from_str(&letter.body).ok();
    if let Some(batch) = body
        .as_ref()
        .and_then(|body| body.get("KafkaBatchInfo"))
        .filter(|_| !mappings.is_empty())
    {
        let infos = batch
            .get("recordsInfo")
            .and_then(Value::as_object)
            .ok_or("it names no records (KafkaBatchInfo.recordsInfo)")?;
        let ranges: Result<Vec<Range>, String> = infos
            .iter()
            .map(|(name, info)| {
                let (topic, partition) = name
                    .rsplit_once('-')
                    .ok_or_else(|| format!("{name} is no topic and partition"))?;
                let partition = partition
                    .parse()
                    .map_err(|_| format!("{name} is no topic and partition"))?;
                let owner = mappings
                    .iter()
                    .find(|mapping| mapping.topics.iter().any(|known| known == topic));
                let owner = owner
                    .ok_or_else(|| format!("no mapping of the template reads topic {topic}"))?;
                let (first, last) =
                    offsets(info).ok_or_else(|| format!("it names no offsets of {name}"))?;
                Ok(Range {
                    mapping: owner.clone(),
                    topic: topic.to_owned(),
                    partition,
                    first,
                    last,
                })
            })
            .collect();
        let ranges = ranges?;
        if ranges.is_empty()
            || ranges.iter().any(|range| {
                range.first > range.last || range.last - range.first >= MOST_RECORDS * 100
            })
        {
            return Err("its offsets make no sense".to_owned());
        }
        return Ok(Route::Records(ranges));
    }
    if let Some(event) = event(functions, queues.is_empty() && mappings.is_empty(), letter) {
        return event.map(|(function, payload)| Route::Event(function, payload));
    }
    let told = letter.source.as_deref().map(name_of);
    match (told, queues.as_slice()) {
        (Some(name), _) if queues.iter().any(|queue| queue == name) => Ok(Route::Queue(name.to_owned())),
        (Some(name), _) => Err(format!("it came from queue {name}, which is not one of the template's that fail to here")),
        (None, [only]) if functions.is_empty() => Ok(Route::Queue(only.clone())),
        (None, [only]) => Err(format!("it does not say whether it came from queue {only} or is an event of a function")),
        (None, []) => {
            Err("it is no record of a failed batch or event of the template, and no queue of it fails to here".to_owned())
        }
        (None, several) => Err(format!("it does not say from which queue it came: {}", several.join(" or "))),
    }
}

/// Function and payload of an asynchronous event, if the letter is about one: the record of an on-failure destination, or the
/// event itself in a dead-letter queue, which a queue's redrive policy would have marked with its source. `alone`: nothing else comes
/// here.
fn event(
    functions: &[Origin],
    alone: bool,
    letter: &Letter,
) -> Option<Result<(String, String), String>> {
    /// As [`crate::asynchronous`] writes it, after Lambda.
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
    if functions.is_empty() || letter.source.is_some() {
        return None;
    }
    let record: Option<Record<'_>> = strict_json::from_str(&letter.body).ok();
    // an event may fill its message so that no attribute finds room
    if letter.attribute("RequestID").is_some() || (alone && record.is_none()) {
        return Some(match functions {
            [only] => Ok((only.function.clone(), letter.body.clone())),
            several => {
                let names: Vec<&str> = several
                    .iter()
                    .map(|origin| origin.function.as_str())
                    .collect();
                Err(format!(
                    "it does not say whose event it was: {}",
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
            Err("the event is not in it: it was too large for the record".to_owned())
        }
        Some(payload) => Ok((origin.function.clone(), payload.to_owned())),
    })
}

/// Offsets are text in the service's records, and numbers in some others.
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

/// Why a letter is where it is, as far as it says.
pub fn reason(letter: &Letter) -> String {
    let body: Value = strict_json::from_str(&letter.body).unwrap_or_default();
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
    if let Some(message) = letter.attribute("ErrorMessage") {
        return message.to_owned();
    }
    "received too often (maxReceiveCount)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(queues: &[&str]) -> Place {
        let queues = queues.iter().map(|&queue| queue.to_owned()).collect();
        Place {
            name: "dead".into(),
            store: Store::Queue {
                queues,
                mappings: Vec::new(),
                functions: Vec::new(),
            },
        }
    }

    #[test]
    fn a_record_of_an_event_goes_back_to_its_function_with_the_payload_as_it_was() {
        let origin = |name: &str| Origin {
            function: name.into(),
            arn: format!("arn:aws:lambda:r:0:function:{name}"),
        };
        let place = |functions: &[Origin]| Place {
            name: "dead".into(),
            store: Store::Queue {
                queues: vec!["q".into()],
                mappings: Vec::new(),
                functions: functions.to_vec(),
            },
        };
        let record = |function: &str, payload: &str| {
            let context =
                format!(r#"{{"functionArn":"arn:aws:lambda:r:0:function:{function}:$LATEST"}}"#);
            let mut letter = Letter::default();
            letter.body = format!(
                r#"{{"version":"1.0","requestContext":{context},"requestPayload":{payload}}}"#
            );
            letter
        };
        let both = place(&[origin("F"), origin("G")]);
        assert_eq!(
            route(&both, &record("G", r#"{"a": 1.0}"#)),
            Ok(Route::Event("G".into(), r#"{"a": 1.0}"#.into()))
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
        // a dead letter without room for attributes
        let mut bare = Letter::default();
        bare.body = "[1]".into();
        let mut lonely = place(&[origin("F")]);
        assert!(
            route(&lonely, &bare)
                .unwrap_err()
                .contains("queue q or is an event")
        );
        let Store::Queue { queues, .. } = &mut lonely.store else {
            unreachable!()
        };
        queues.clear();
        assert_eq!(
            route(&lonely, &bare),
            Ok(Route::Event("F".into(), "[1]".into()))
        );
        // what a redrive policy brought here is a message, whatever it says
        let mut redriven = record("F", "{}");
        redriven.source = Some("arn:aws:sqs:r:0:q".into());
        assert_eq!(route(&both, &redriven), Ok(Route::Queue("q".into())));
    }

    #[test]
    fn a_letter_goes_back_to_the_queue_it_names_or_the_only_one_there_is() {
        let from = |source: Option<&str>| {
            let mut letter = Letter::default();
            letter.source = source.map(str::to_owned);
            letter
        };
        let back = |queue: &str| Ok(Route::Queue(queue.to_owned()));
        assert_eq!(route(&place(&["a"]), &from(None)), back("a"));
        assert_eq!(
            route(&place(&["a", "b"]), &from(Some("arn:aws:sqs:r:0:b"))),
            back("b")
        );
        assert!(
            route(&place(&["a", "b"]), &from(None))
                .unwrap_err()
                .contains("a or b")
        );
        assert!(
            route(&place(&["a"]), &from(Some("arn:aws:sqs:r:0:other")))
                .unwrap_err()
                .contains("other")
        );
        assert!(route(&place(&[]), &from(None)).is_err());
    }

    #[test]
    fn offsets_are_text_or_numbers() {
        let info = serde_json::json!({ "startOffset": "3", "endOffset": 5 });
        assert_eq!(offsets(&info), Some((3, 5)));
        assert_eq!(offsets(&serde_json::json!({ "startOffset": "x" })), None);
    }
}
