//! Translates an entry of the stream to a message of the queue. Pure.

use std::collections::BTreeMap;

use lambda_batch::Reason;
use redis_streams::Entry;
use shared::message::StreamEntry;
use shared::sqs::{Fifo, NewMessage};
use shared::telemetry::TraceContext;

/// The message of an entry, or why no message can represent it.
pub fn translate(
    stream: &str,
    entry: &Entry,
    fifo_field: Option<&str>,
) -> Result<NewMessage, Reason> {
    let mut fields = BTreeMap::new();
    for (name, value) in &entry.fields {
        let name = str::from_utf8(name)
            .map_err(|e| Reason::new(format_args!("the name of a field is not UTF-8: {e}")))?;
        let value = str::from_utf8(value)
            .map_err(|e| Reason::new(format_args!("field {name:?} is not UTF-8: {e}")))?;
        if fields.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Reason::new(format_args!("field {name:?} occurs twice")));
        }
    }
    let trace = fields
        .get(StreamEntry::TRACE_FIELD)
        .and_then(|text| text.parse::<TraceContext>().ok());
    let attributes = trace.map(|trace| (StreamEntry::TRACE_FIELD.to_owned(), trace.to_string()));
    let fifo = fifo_field
        .map(|field| fifo(field, fields.get(field), entry))
        .transpose()?;
    let body = StreamEntry {
        stream: stream.to_owned(),
        id: entry.id.to_string(),
        fields,
    };
    let body = body.to_body().map_err(Reason::new)?;
    let message = NewMessage {
        body,
        attributes: attributes.into_iter().collect(),
        fifo,
    };
    message.checked_size().map_err(Reason::new)?;
    Ok(message)
}

fn fifo(field: &str, value: Option<&String>, entry: &Entry) -> Result<Fifo, Reason> {
    let value = value.ok_or_else(|| {
        Reason::new(format_args!(
            "the field {field:?} of the message group is missing"
        ))
    })?;
    if !Fifo::is_group(value) {
        return Err(Reason::new(format_args!(
            "field {field:?} cannot be a message group: 1 to 128 visible ASCII characters"
        )));
    }
    Ok(Fifo {
        group: value.clone(),
        deduplication: entry.id.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use redis_streams::EntryId;
    use shared::sqs::MAX_BYTES;

    use super::*;

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn entry(fields: &[(&str, &str)]) -> Entry {
        let field =
            |(name, value): &(&str, &str)| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        Entry {
            id: EntryId {
                ms: 1_795_372_200_000,
                seq: 3,
            },
            fields: fields.iter().map(field).collect(),
        }
    }

    #[test]
    fn a_message_has_the_entrys_origin_and_trace() {
        let message = translate(
            "program-changed",
            &entry(&[("id", "17"), (StreamEntry::TRACE_FIELD, TRACE)]),
            None,
        )
        .expect("fits");
        let fields = format!(r#"{{"id":"17","traceparent":"{TRACE}"}}"#);
        let body =
            format!(r#"{{"stream":"program-changed","id":"1795372200000-3","fields":{fields}}}"#);
        assert_eq!(message.body, body);
        assert_eq!(
            message.attributes,
            [(StreamEntry::TRACE_FIELD.to_owned(), TRACE.to_owned())]
        );
        assert_eq!(message.fifo, None);
    }

    #[test]
    fn an_invalid_trace_is_not_forwarded() {
        for trace in ["", "nonsense", "\u{0}"] {
            let message =
                translate("s", &entry(&[(StreamEntry::TRACE_FIELD, trace)]), None).expect("fits");
            assert_eq!(message.attributes, [], "{trace:?}");
        }
    }

    #[test]
    fn a_fifo_message_has_group_and_deduplication_id() {
        let message = translate("s", &entry(&[("id", "17")]), Some("id")).expect("fits");
        assert_eq!(
            message.fifo,
            Some(Fifo {
                group: "17".to_owned(),
                deduplication: "1795372200000-3".to_owned()
            })
        );
        let long = "x".repeat(129);
        for bad in [
            &[][..],
            &[("id", "")],
            &[("id", "a b")],
            &[("id", "é")],
            &[("id", long.as_str())],
        ] {
            let reason = translate("s", &entry(bad), Some("id")).expect_err("refused");
            assert!(reason.as_str().contains("\"id\""), "{reason}");
        }
    }

    #[test]
    fn an_entry_without_a_message_has_a_reason() {
        let raw = |name: &[u8], value: &[u8]| Entry {
            id: EntryId::default(),
            fields: vec![(name.to_vec(), value.to_vec())],
        };
        for (entry, why) in [
            (raw(b"a", b"\xff"), "field \"a\" is not UTF-8"),
            (raw(b"\xff", b"a"), "the name of a field is not UTF-8"),
            (entry(&[("a", "1"), ("a", "2")]), "field \"a\" occurs twice"),
            (
                raw(b"a", "x".repeat(MAX_BYTES).as_bytes()),
                "SQS takes 1048576",
            ),
        ] {
            let reason = translate("s", &entry, None).expect_err(why);
            assert!(reason.as_str().contains(why), "{reason}");
        }
    }

    #[test]
    fn the_largest_possible_message_is_accepted() {
        let with = |len: usize| translate("s", &entry(&[("a", &"x".repeat(len))]), None);
        let frame = with(0).expect("fits").size();
        assert_eq!(with(MAX_BYTES - frame).map(|m| m.size()), Ok(MAX_BYTES));
        assert!(with(MAX_BYTES - frame + 1).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_preserved_or_refused(
            fields in vec((vec(any::<u8>(), 0..5), vec(any::<u8>(), 0..9)), 0..5),
        ) {
            let entry = Entry { id: EntryId { ms: 1, seq: 2 }, fields };
            if let Ok(message) = translate("s", &entry, None) {
                let read: StreamEntry = serde_json::from_str(&message.body).expect("JSON");
                let bytes: Vec<_> = read
                    .fields
                    .into_iter()
                    .map(|(name, value)| (name.into_bytes(), value.into_bytes()))
                    .collect();
                let mut sent = entry.fields;
                sent.sort();
                prop_assert_eq!(bytes, sent);
            }
        }
    }
}
