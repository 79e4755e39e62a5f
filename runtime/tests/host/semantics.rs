//! The tables of docs/reference/conformance.md: the end of a batch for each setting and each
//! failure. Every cell is derived by running the machines and compared with the page.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use event_sources::Millis;
use event_sources::stream::{
    DiscardReason, Offset, Partition, Record, Slice, StreamAction, StreamBatchResult, StreamInput,
    StreamMachine, StreamSettings,
};
use usher::invocation::{ConcurrencyLimit, FunctionError, Outcome, Rejected, Response};
use usher::sources::kafka::batch_result;

use crate::semantics_queue::queue_cell;

const P: Partition = Partition {
    topic: 0,
    number: 0,
};

/// Failures. If a record is the cause, it is record 2 of four.
const FAILURES: [&str; 12] = [
    "function error",
    "timeout",
    "crash",
    "response too large",
    "malformed response",
    "partial response: 2 failed",
    "throttled three times",
    "no process three times",
    "record too old",
    "destination down twice",
    "revoked in flight",
    "broker gone at the commit",
];

const COLUMNS: [&str; 8] = [
    "default",
    "ReportBatchItemFailures",
    "Bisect",
    "retries 2",
    "Report, Bisect, retries 1",
    "record age 60 s",
    "queue, retries 1",
    "topic, Report, retries 0",
];

fn settings(column: &str) -> (StreamSettings, bool) {
    let retries = column
        .split_once("retries ")
        .and_then(|(_, number)| number.parse().ok());
    let settings = StreamSettings {
        batch_size: 4,
        window: Duration::ZERO,
        max_payload: 10_000,
        envelope: 100,
        partition_overhead: 20,
        bisect: column.contains("Bisect"),
        max_retries: retries,
        max_age: column.contains("age").then_some(Duration::from_secs(60)),
        has_destination: column.starts_with("queue") || column.starts_with("topic"),
        max_in_flight: 1,
        buffer_bytes: 100_000,
        commit_interval: Duration::ZERO,
        backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(5),
    };
    (settings, column.contains("Report"))
}

/// The result of an invocation that carries record 2.
fn result(failure: &str) -> Result<Response, Rejected> {
    let outcome = match failure {
        "malformed response" => Outcome::Answer(Bytes::from_static(
            br#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        )),
        "partial response: 2 failed" => Outcome::Answer(Bytes::from_static(
            br#"{"batchItemFailures":[{"itemIdentifier":{"partition":"t-0","offset":2}}]}"#,
        )),
        "throttled three times" => {
            return Err(Rejected::Throttled(ConcurrencyLimit {
                function: "F".into(),
                limit: 1,
                per_instance: 1,
                reserved: true,
            }));
        }
        "no process three times" => {
            return Err(Rejected::NoCapacity {
                function: "F".into(),
                why: "open files".into(),
            });
        }
        other => {
            let error_type = match other {
                "timeout" => "Sandbox.Timedout",
                "crash" => "Runtime.ExitError",
                "response too large" => "Function.ResponseSizeTooLarge",
                _ => "Unhandled",
            };
            Outcome::Error(FunctionError {
                error_type: error_type.into(),
                message: String::new(),
                body: Bytes::new(),
            })
        }
    };
    Ok(Response {
        request_id: "r".into(),
        outcome,
    })
}

/// A run of the machine for one partition with one failure.
struct Run<'a> {
    failure: &'a str,
    column: &'a str,
    machine: StreamMachine,
    report: bool,
    now: Millis,
    todo: VecDeque<StreamAction>,
    said: Vec<String>,
    invocations: u32,
    troubles: u32,
    committed: Offset,
}

impl Run<'_> {
    fn step(&mut self, input: StreamInput<'_>) {
        let mut out = Vec::new();
        self.machine.step(self.now, input, &mut out);
        self.todo.extend(out);
    }

    fn read_from(&mut self, offset: Offset) {
        let time = if self.failure == "record too old" {
            self.now - 61_000
        } else {
            self.now
        };
        let records: Vec<Record> = (offset..4)
            .map(|offset| Record {
                offset,
                size: 10,
                time,
            })
            .collect();
        self.step(StreamInput::Assigned(&[P]));
        self.step(StreamInput::Records(P, &records));
    }

    /// A fault that ends after some time.
    fn trouble(&mut self, kind: &str, times: u32) -> bool {
        let on = self.failure == kind && self.troubles < times;
        self.troubles += u32::from(on);
        on
    }

    fn obey(&mut self, action: StreamAction) {
        match action {
            StreamAction::Invoke(id, slices) => {
                let slice = slices[0];
                self.invocations += 1;
                if self.trouble("revoked in flight", 1) {
                    self.said.push(format!("{}, revoked", span(&slice)));
                    self.step(StreamInput::Revoked(&[P]));
                    self.read_from(self.committed);
                    return self.step(StreamInput::Finished(
                        id,
                        StreamBatchResult::Answered(Vec::new()),
                    ));
                }
                let harmless = [
                    "record too old",
                    "revoked in flight",
                    "broker gone at the commit",
                ]
                .contains(&self.failure)
                    || !(slice.first..=slice.last).contains(&2)
                    || (self.failure.ends_with(" three times") && !self.trouble(self.failure, 3));
                let answer = if harmless {
                    Ok(Response {
                        request_id: "r".into(),
                        outcome: Outcome::Answer(Bytes::from_static(b"{}")),
                    })
                } else {
                    result(self.failure)
                };
                let (finish, _) =
                    batch_result(&answer, self.report, |name| (name == "t-0").then_some(P));
                let how = match finish {
                    StreamBatchResult::Answered(ref failures) if failures.is_empty() => "ok",
                    StreamBatchResult::NotInvoked => "not run",
                    _ => "fails",
                };
                self.said.push(format!("{} {how}", span(&slice)));
                self.step(StreamInput::Finished(id, finish));
            }
            StreamAction::Commit(offsets) => {
                let offset = offsets[0].1;
                if self.trouble("broker gone at the commit", 1) {
                    self.said.push(format!("commit {offset} is lost"));
                    return self.step(StreamInput::CommitFailed(&[P]));
                }
                self.committed = offset;
                self.said.push(format!("commit {offset}"));
            }
            StreamAction::Discard(slice, reason) => {
                self.said
                    .push(format!("{} discarded ({})", span(&slice), why(reason)));
            }
            StreamAction::SendToDestination(slice, reason) => {
                let taken = !self.trouble("destination down twice", 2);
                let to = self.column.split(',').next().unwrap_or_default();
                let how = if taken {
                    String::new()
                } else {
                    ": not taken".to_owned()
                };
                self.said.push(format!(
                    "{} to the {to} ({}){how}",
                    span(&slice),
                    why(reason)
                ));
                self.step(StreamInput::Delivered(P, taken));
            }
            StreamAction::RejectedResponse(_)
            | StreamAction::Release(..)
            | StreamAction::Pause(_)
            | StreamAction::Resume(_) => {}
        }
    }
}

fn span(slice: &Slice) -> String {
    if slice.first == slice.last {
        slice.first.to_string()
    } else {
        format!("{}-{}", slice.first, slice.last)
    }
}

fn why(reason: DiscardReason) -> &'static str {
    match reason {
        DiscardReason::RetriesExhausted => "retries",
        DiscardReason::TooOld => "age",
        DiscardReason::TooLarge => "size",
        DiscardReason::Skipped => "skipped",
    }
}

/// Merges equal neighbours into one with a count; long repetitions become a phrase.
fn merged(said: Vec<String>) -> String {
    let mut runs: Vec<(String, usize)> = Vec::new();
    for word in said {
        match runs.last_mut() {
            Some((last, times)) if *last == word => *times += 1,
            _ => runs.push((word, 1)),
        }
    }
    let runs = runs.into_iter().map(|(word, times)| match times {
        1 => word,
        2..=9 => format!("{word} ×{times}"),
        _ => format!("{word} again and again"),
    });
    runs.collect::<Vec<_>>().join("; ")
}

fn kafka_cell(failure: &str, column: &str) -> String {
    let (settings, report) = settings(column);
    let mut run = Run {
        failure,
        column,
        machine: StreamMachine::new(settings),
        report,
        now: 1_000_000,
        todo: VecDeque::new(),
        said: Vec::new(),
        invocations: 0,
        troubles: 0,
        committed: 0,
    };
    run.read_from(0);
    while run.invocations < 60 {
        if let Some(action) = run.todo.pop_front() {
            run.obey(action);
        } else if let Some(wake) = run.machine.wake() {
            run.now = run.now.max(wake);
            run.step(StreamInput::Tick);
        } else {
            break;
        }
    }
    merged(run.said)
}

const QUEUES: [&str; 4] = ["standard", "standard, Report", "FIFO", "FIFO, Report"];

const QUEUE_FAILURES: [&str; 5] = [
    "function error, timeout, crash, response too large",
    "malformed response",
    "partial response: 2 failed",
    "throttled",
    "drained meanwhile",
];

fn table(
    corner: &str,
    columns: &[&str],
    rows: &[&str],
    cell: impl Fn(&str, &str) -> String,
) -> Vec<String> {
    let mut lines = vec![
        format!("| {corner} | {} |", columns.join(" | ")),
        format!("|{}", "---|".repeat(columns.len() + 1)),
    ];
    for row in rows {
        let cells: Vec<String> = columns.iter().map(|column| cell(row, column)).collect();
        lines.push(format!("| {row} | {} |", cells.join(" | ")));
    }
    lines
}

fn compare(derived: &[String]) {
    let page = include_str!("../../../docs/reference/conformance.md");
    let missing: Vec<&String> = derived
        .iter()
        .filter(|line| !page.lines().any(|known| known == **line))
        .collect();
    let known: Vec<&str> = page
        .lines()
        .filter(|line| missing.iter().any(|new| first(line) == first(new)))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/reference/conformance.md differs from the machine.\n--- the page\n{}\n\
         +++ the machine\n{}\n\nThe whole table:\n{}\n",
        known.join("\n"),
        missing
            .iter()
            .map(|line| line.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        derived.join("\n")
    );
}

fn first(line: &str) -> &str {
    line.split('|').nth(1).unwrap_or_default()
}

#[test]
fn the_page_matches_the_stream_machine() {
    compare(&table("Kafka", &COLUMNS, &FAILURES, kafka_cell));
}

#[test]
fn the_page_matches_the_queue_machine() {
    compare(&table("SQS", &QUEUES, &QUEUE_FAILURES, queue_cell));
}
