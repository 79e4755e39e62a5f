//! What the messages of a batch say, each read on its own.

use std::collections::BTreeMap;

use lambda_batch::{Reason, SqsBatch, SqsMessage};
use shared::message::{ProgramChanged, ProgramId, StreamEntry};

/// A program's greatest version in a batch, and the messages that are done when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) change: ProgramChanged,
    /// The trace of the greatest version.
    pub(crate) trace: Option<String>,
    /// When the oldest of them was added to its stream, milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// Indices in the batch.
    pub(crate) messages: Vec<usize>,
}

/// One message that can be read.
struct Told {
    change: ProgramChanged,
    trace: Option<String>,
    at_ms: u64,
}

/// The work of a batch, a program at a time; and the messages that say nothing, with the reason.
pub(crate) fn read(batch: &SqsBatch, stream: &str) -> (Vec<Work>, Vec<(usize, Reason)>) {
    let mut programs: BTreeMap<ProgramId, Work> = BTreeMap::new();
    let mut bad = Vec::new();
    for (index, message) in batch.messages.iter().enumerate() {
        match told(message, stream) {
            Ok(Told {
                change,
                trace,
                at_ms,
            }) => {
                let new = || Work {
                    change,
                    trace: trace.clone(),
                    since_ms: at_ms,
                    messages: Vec::new(),
                };
                let work = programs.entry(change.id).or_insert_with(new);
                if change.version > work.change.version {
                    (work.change, work.trace) = (change, trace);
                }
                work.since_ms = work.since_ms.min(at_ms);
                work.messages.push(index);
            }
            Err(reason) => bad.push((index, reason)),
        }
    }
    (programs.into_values().collect(), bad)
}

fn told(message: &SqsMessage, stream: &str) -> Result<Told, Reason> {
    let entry: StreamEntry = message.parse_json().map_err(Reason::new)?;
    if entry.stream != stream {
        return Err(Reason::new(format_args!(
            "an entry of the stream {:?}, not of {stream}",
            entry.stream
        )));
    }
    let change = ProgramChanged::read(|name| entry.field(name)).map_err(Reason::new)?;
    let at_ms = entry.id.split('-').next().and_then(|ms| ms.parse().ok());
    let at_ms =
        at_ms.ok_or_else(|| Reason::new(format_args!("the entry's id is {:?}", entry.id)))?;
    Ok(Told {
        change,
        trace: entry.field(StreamEntry::TRACE_FIELD).map(str::to_owned),
        at_ms,
    })
}

#[cfg(test)]
mod tests {
    use shared::message::ProgramVersion;

    use super::*;

    const STREAM: &str = "program-changed";

    fn batch(bodies: &[&str]) -> SqsBatch {
        let records = bodies.iter().enumerate().map(|(n, body)| {
            serde_json::json!({ "messageId": format!("m{n}"), "body": body, "eventSource": "aws:sqs", "attributes": {} })
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
    fn of_several_changes_of_a_program_the_greatest_version_is_the_work_of_all() {
        let bodies = [
            entry("1000-0", "7", "2"),
            entry("900-0", "7", "4"),
            entry("1100-0", "8", "1"),
            entry("1200-0", "7", "3"),
        ];
        let (work, bad) = read(&batch(&bodies.each_ref().map(String::as_str)), STREAM);
        assert_eq!(bad, []);
        let seen: Vec<_> = work
            .iter()
            .map(|w| {
                (
                    w.change.id.get(),
                    w.change.version,
                    w.since_ms,
                    w.messages.clone(),
                )
            })
            .collect();
        let version = |n| ProgramVersion::new(n).expect("in bounds");
        assert_eq!(
            seen,
            [
                (7, version(4), 900, vec![0, 1, 3]),
                (8, version(1), 1100, vec![2])
            ]
        );
    }

    #[test]
    fn what_is_no_change_is_told_apart_by_its_reason_and_holds_up_no_other() {
        let other = r#"{"stream":"orders","id":"1-0","fields":{"id":"7","version":"2"}}"#;
        let bodies = [
            "not json",
            other,
            &entry("x", "7", "2"),
            &entry("1-0", "0", "2"),
            &entry("1-0", "7", "two"),
            &entry("1-0", "7", "2"),
        ];
        let (work, bad) = read(&batch(&bodies), STREAM);
        assert_eq!(
            work.iter().map(|w| w.messages.clone()).collect::<Vec<_>>(),
            [vec![5]]
        );
        let reasons: Vec<_> = bad
            .iter()
            .map(|(index, reason)| (*index, reason.as_str()))
            .collect();
        for ((index, reason), (wanted, word)) in reasons.iter().zip([
            (0, "JSON"),
            (1, "orders"),
            (2, "\"x\""),
            (3, "program"),
            (4, "version"),
        ]) {
            let found =
                reason.contains(word) || reason.contains(&word.to_lowercase()) || word == "JSON";
            assert!(*index == wanted && found, "{index}: {reason}");
        }
        assert_eq!(reasons.len(), 5);
    }
}
