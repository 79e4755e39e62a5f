//! The changes of programs that the messages of a batch carry.

use std::collections::BTreeMap;

use lambda_batch::{Reason, SqsBatch, SqsMessage};
use shared::message::{ProgramChanged, ProgramId, StreamEntry};

/// A change of a program, and the stream entry that carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamedChange {
    pub(crate) change: ProgramChanged,
    pub(crate) trace: Option<String>,
    /// When the entry was added to its stream, milliseconds since 1970.
    pub(crate) added_ms: u64,
}

/// The change with the greatest version of each program. Messages that are not changes are left
/// out.
pub(crate) fn greatest(batch: &SqsBatch, stream: &str) -> BTreeMap<ProgramId, StreamedChange> {
    let mut greatest: BTreeMap<ProgramId, StreamedChange> = BTreeMap::new();
    for found in batch
        .messages
        .iter()
        .flat_map(|message| read(message, stream))
    {
        let known = greatest.get(&found.change.id);
        if known.is_none_or(|known| known.change.version < found.change.version) {
            greatest.insert(found.change.id, found);
        }
    }
    greatest
}

/// Reads a message, which must be an entry of `stream`.
pub(crate) fn read(message: &SqsMessage, stream: &str) -> Result<StreamedChange, Reason> {
    let entry: StreamEntry = message.parse_json().map_err(Reason::new)?;
    if entry.stream != stream {
        return Err(Reason::new(format_args!(
            "an entry of the stream {:?}, not of {stream}",
            entry.stream
        )));
    }
    let change = ProgramChanged::read(|name| entry.field(name)).map_err(Reason::new)?;
    let added_ms = entry.id.split('-').next().and_then(|ms| ms.parse().ok());
    let added_ms =
        added_ms.ok_or_else(|| Reason::new(format_args!("the entry's id is {:?}", entry.id)))?;
    Ok(StreamedChange {
        change,
        trace: entry.field(StreamEntry::TRACE_FIELD).map(str::to_owned),
        added_ms,
    })
}

#[cfg(test)]
mod tests {
    use shared::message::ProgramVersion;

    use super::*;

    const STREAM: &str = "program-changed";

    fn batch(bodies: &[&str]) -> SqsBatch {
        let records = bodies.iter().enumerate().map(|(n, body)| {
            serde_json::json!({
                "messageId": format!("m{n}"), "body": body,
                "eventSource": "aws:sqs", "attributes": {}
            })
        });
        serde_json::from_value(serde_json::json!({ "Records": records.collect::<Vec<_>>() }))
            .expect("an event")
    }

    fn entry(id: &str, program: &str, version: &str) -> String {
        format!(
            r#"{{"stream":"{STREAM}","id":"{id}","fields":{{"id":"{program}","version":"{version}"}}}}"#
        )
    }

    #[test]
    fn the_greatest_version_of_each_program_is_found() {
        let bodies = [
            entry("1000-0", "7", "2"),
            entry("900-0", "7", "4"),
            entry("1100-0", "8", "1"),
            entry("1200-0", "7", "3"),
            "not json".to_owned(),
        ];
        let greatest = greatest(&batch(&bodies.each_ref().map(String::as_str)), STREAM);
        let found: Vec<_> = greatest
            .iter()
            .map(|(id, found)| (id.get(), found.change.version, found.added_ms))
            .collect();
        let version = |n| ProgramVersion::new(n).expect("in bounds");
        assert_eq!(found, [(7, version(4), 900), (8, version(1), 1100)]);
    }

    #[test]
    fn a_message_that_is_no_change_has_a_reason() {
        let other = r#"{"stream":"orders","id":"1-0","fields":{"id":"7","version":"2"}}"#;
        for (body, word) in [
            ("not json", "not a valid message"),
            (other, "orders"),
            (&entry("x", "7", "2"), "\"x\""),
            (&entry("1-0", "0", "2"), "program"),
            (&entry("1-0", "7", "two"), "version"),
        ] {
            let batch = batch(&[body]);
            let reason = read(&batch.messages[0], STREAM).expect_err(body);
            assert!(
                reason.as_str().to_lowercase().contains(word),
                "{body}: {reason}"
            );
        }
        let sound = batch(&[&entry("1-0", "7", "2")]);
        assert!(read(&sound.messages[0], STREAM).is_ok());
    }
}
