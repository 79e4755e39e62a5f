//! Reads an SQS event into a [`SqsBatch`]. An event has at most 6 MB, so its records are read as
//! JSON of any shape first.

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::message::{MessageBody, SqsBatch, SqsMessage};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Option<Vec<Map<String, Value>>>,
}

impl<'de> Deserialize<'de> for SqsBatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let event = Event::deserialize(strict_json::Objects(deserializer))?;
        let records = event
            .records
            .ok_or_else(|| D::Error::custom("not an SQS event: it has no `Records`"))?;
        let message = |record| {
            message(record).ok_or_else(|| {
                D::Error::custom(
                    "a message has no `messageId`, so it could not be named in the response",
                )
            })
        };
        Ok(Self {
            messages: records.into_iter().map(message).collect::<Result<_, _>>()?,
        })
    }
}

fn message(mut record: Map<String, Value>) -> Option<SqsMessage> {
    let id = text(record.remove("messageId"))?;
    let body = match record.remove("body") {
        Some(Value::String(text)) => MessageBody::Text(text),
        None | Some(Value::Null) => MessageBody::Bad {
            raw: String::new(),
            reason: "the event has none",
        },
        Some(other) => MessageBody::Bad {
            raw: other.to_string(),
            reason: "it is not text in the event",
        },
    };
    let mut system = object(record.remove("attributes"));
    let attributes = object(record.remove("messageAttributes"))
        .into_iter()
        .filter_map(attribute)
        .collect();
    let arn = text(record.remove("eventSourceARN"));
    Some(SqsMessage {
        id,
        body,
        attributes,
        receive_count: number(system.remove("ApproximateReceiveCount"))
            .and_then(|n| u32::try_from(n).ok()),
        sent_ms: number(system.remove("SentTimestamp")).filter(|ms| *ms >= 0),
        group: text(system.remove("MessageGroupId")),
        queue: arn
            .and_then(|arn| Some(arn.rsplit_once(':')?.1.to_owned()))
            .filter(|name| !name.is_empty()),
    })
}

/// `"name": {"stringValue": "...", "dataType": "String"}`
fn attribute((name, value): (String, Value)) -> Option<(String, String)> {
    Some((name, text(object(Some(value)).remove("stringValue"))?))
}

fn object(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// SQS writes numbers as text; other senders write numbers.
fn number(value: Option<Value>) -> Option<i64> {
    match value? {
        Value::Number(n) => n.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
