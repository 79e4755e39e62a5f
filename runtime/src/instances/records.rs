//! The platform's lines of a function's log: as text, or as the JSON records of `LogFormat: JSON`
//! ("Configuring JSON and plain text log formats", "Telemetry API schema reference" and "Log-level
//! filtering" in Lambda's documentation).
//!
//! Pure: time and memory are parameters.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{TIMED_OUT, TOO_LARGE};
use crate::invocation::{FunctionError, Outcome};
use crate::observation::Ended;
use sam_template::model::{Initialization, LogLevel, Logging};

/// One line of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum LogLine {
    /// The function printed it.
    Output {
        /// The line, without its end.
        text: String,
    },
    /// The host reports why an invocation or a process failed.
    Failure {
        /// One line.
        text: String,
    },
    /// A process is started.
    InitStart,
    /// Its initialisation ended.
    InitEnd {
        /// How long it took.
        duration: Duration,
        /// How it ended.
        status: PhaseStatus,
    },
    /// An invocation started.
    Start,
    /// An invocation ended.
    End {
        /// From start to answer.
        duration: Duration,
        /// How it ended.
        status: PhaseStatus,
        /// Bytes of the answer.
        bytes: usize,
    },
    /// An invocation ended: the line of a call, beside those of the platform.
    Ended(Box<Ended>),
    /// An HTTP request was answered.
    Http(Box<HttpCall>),
    /// What the invocation used.
    Report {
        /// From start to answer.
        duration: Duration,
        /// Initialisation, for the first invocation of an instance.
        init: Option<Duration>,
        /// The template's memory size.
        memory_mb: u32,
        /// Process whose peak is reported.
        pid: Option<u32>,
        /// How the invocation ended.
        status: PhaseStatus,
    },
}

/// An answered HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCall {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// From the request's head to the answer.
    pub duration: Duration,
    /// The function of its route; `None`: it reached no route.
    pub function: Option<String>,
    /// Type and message of the error, if the host or the function could not answer.
    pub error: Option<String>,
}

/// How a phase ended, as the platform names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseStatus {
    /// The runtime answered. An error that the function reports is an answer as well.
    Success,
    /// The phase was out of time.
    Timeout,
    /// The sandbox failed, with this error type: `Runtime.ExitError`.
    Error(String),
}

impl PhaseStatus {
    /// The end of an invocation. `reported`: the function itself sent this outcome.
    pub(super) fn of(outcome: &Outcome, reported: bool) -> Self {
        match outcome {
            Outcome::Error(FunctionError { error_type, .. })
                if !reported && error_type == TIMED_OUT =>
            {
                Self::Timeout
            }
            Outcome::Error(FunctionError { error_type, .. })
                if !reported || error_type == TOO_LARGE =>
            {
                Self::Error(error_type.clone())
            }
            Outcome::Interrupted(error) => Self::Error(error.error_type.clone()),
            Outcome::Error(_) | Outcome::Answer(_) => Self::Success,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error(_) => "error",
        }
    }

    /// The end of a text line; empty after a success.
    fn suffix(&self) -> String {
        match self {
            Self::Success => String::new(),
            Self::Timeout => "\tStatus: timeout".to_owned(),
            Self::Error(kind) => format!("\tStatus: error\tError Type: {kind}"),
        }
    }

    /// The record with this status.
    fn in_record(&self, mut record: Value) -> Value {
        record["status"] = Value::from(self.word());
        if let Self::Error(kind) = self {
            record["errorType"] = Value::from(kind.as_str());
        }
        record
    }

    /// The level of a record with this status. `success`: that of a success.
    fn level(&self, success: LogLevel) -> LogLevel {
        if *self == Self::Success {
            success
        } else {
            LogLevel::Warn
        }
    }
}

/// The line as text, if it has a text form. Output of the function is not copied. On managed
/// instances a report has the duration only: memory and initialisation are of several invocations.
pub(super) fn text<'l>(
    line: &'l LogLine,
    id: &str,
    peak_bytes: Option<u64>,
    initialization: Initialization,
) -> Option<Cow<'l, str>> {
    Some(match line {
        LogLine::Output { text } | LogLine::Failure { text } => Cow::Borrowed(text.as_str()),
        LogLine::Ended(_)
        | LogLine::Http(_)
        | LogLine::InitStart
        | LogLine::InitEnd {
            status: PhaseStatus::Success,
            ..
        } => return None,
        LogLine::InitEnd { duration, status } => Cow::Owned(format!(
            "INIT_REPORT Init Duration: {:.2} ms\tPhase: init{}",
            ms(*duration),
            status.suffix()
        )),
        LogLine::Start => Cow::Owned(format!("START RequestId: {id} Version: $LATEST")),
        LogLine::End { .. } => Cow::Owned(format!("END RequestId: {id}")),
        LogLine::Report {
            duration,
            init,
            memory_mb,
            status,
            ..
        } => {
            let mut line = format!("REPORT RequestId: {id}\tDuration: {:.2} ms", ms(*duration));
            if initialization == Initialization::OnDemand {
                let billed = billed(*duration, *init);
                let _ = write!(
                    line,
                    "\tBilled Duration: {billed} ms\tMemory Size: {memory_mb} MB"
                );
                if let Some(peak) = peak_bytes {
                    let _ = write!(line, "\tMax Memory Used: {} MB", megabytes(peak));
                }
                if let Some(init) = init {
                    let _ = write!(line, "\tInit Duration: {:.2} ms", ms(*init));
                }
            }
            line.push_str(&status.suffix());
            Cow::Owned(line)
        }
    })
}

/// The JSON records of a line that the configured levels include. Output of the function stays as
/// it is. On managed instances there is no `platform.runtimeDone`, and a report has the duration
/// only ("Lambda Telemetry API Event schema reference").
pub(super) fn json<'l>(
    line: &'l LogLine,
    id: &str,
    at: Timestamp,
    peak_bytes: Option<u64>,
    (logging, initialization): (&Logging, Initialization),
) -> Vec<Cow<'l, str>> {
    let is_on_demand = initialization == Initialization::OnDemand;
    let mut records = Vec::new();
    let mut add = |level, kind, record: Value| {
        if level >= logging.system {
            records.push(Cow::Owned(platform(at, kind, &record)));
        }
    };
    let mut init = json!({ "initializationType": initialization.word(), "phase": "init" });
    match line {
        LogLine::Output { text } => return vec![Cow::Borrowed(text.as_str())],
        LogLine::Failure { text } => {
            let mut entry =
                json!({ "timestamp": time(at), "level": LogLevel::Error.word(), "message": text });
            if id != "-" {
                entry["requestId"] = Value::from(id);
            }
            return vec![Cow::Owned(entry.to_string())];
        }
        LogLine::Ended(_) | LogLine::Http(_) => {}
        LogLine::InitStart => add(LogLevel::Debug, "platform.initStart", init),
        LogLine::InitEnd { duration, status } => {
            let level = status.level(LogLevel::Debug);
            let done = status.in_record(init.clone());
            add(level, "platform.initRuntimeDone", done);
            init["metrics"] = json!({ "durationMs": rounded(*duration) });
            add(level, "platform.initReport", status.in_record(init));
        }
        LogLine::Start => {
            let record = json!({ "requestId": id, "version": "$LATEST" });
            add(LogLevel::Info, "platform.start", record);
        }
        LogLine::End { .. } if !is_on_demand => {}
        LogLine::End {
            duration,
            status,
            bytes,
        } => {
            let metrics = json!({ "durationMs": rounded(*duration), "producedBytes": bytes });
            let record = status.in_record(json!({ "requestId": id, "metrics": metrics }));
            add(
                status.level(LogLevel::Debug),
                "platform.runtimeDone",
                record,
            );
        }
        LogLine::Report {
            duration,
            init,
            memory_mb,
            status,
            ..
        } => {
            let mut metrics = json!({ "durationMs": rounded(*duration) });
            if is_on_demand {
                metrics["billedDurationMs"] = Value::from(billed(*duration, *init));
                metrics["memorySizeMB"] = Value::from(*memory_mb);
            }
            if let Some(peak) = peak_bytes.filter(|_| is_on_demand) {
                metrics["maxMemoryUsedMB"] = Value::from(megabytes(peak));
            }
            if let Some(init) = init.filter(|_| is_on_demand) {
                metrics["initDurationMs"] = Value::from(rounded(init));
            }
            let record = status.in_record(json!({ "requestId": id, "metrics": metrics }));
            add(status.level(LogLevel::Info), "platform.report", record);
        }
    }
    records
}

/// The line that counts dropped lines, in either format.
pub(super) fn dropped(lines: usize, bytes: usize, at: Timestamp, logging: &Logging) -> String {
    const REASON: &str = "printed faster than written";
    if !logging.is_json() {
        return format!("({lines} lines dropped: {REASON})");
    }
    platform(
        at,
        "platform.logsDropped",
        &json!({ "reason": REASON, "droppedRecords": lines, "droppedBytes": bytes }),
    )
}

fn platform(at: Timestamp, kind: &str, record: &Value) -> String {
    format!(
        r#"{{"time":"{}","type":"{kind}","record":{record}}}"#,
        time(at)
    )
}

/// The level of a line of output: that of its field `level`, if the line is a JSON object with a
/// valid time. All other lines count as `INFO` ("Log-level filtering").
pub(super) fn level_of(text: &str) -> LogLevel {
    /// Keys under which loggers write the time.
    #[derive(Deserialize)]
    struct Entry {
        level: Option<Value>,
        timestamp: Option<Value>,
        time: Option<Value>,
        #[serde(rename = "@timestamp")]
        at_timestamp: Option<Value>,
    }
    if !text.trim_start().starts_with('{') {
        return LogLevel::Info;
    }
    let Ok(entry) = strict_json::from_str::<Entry>(text) else {
        return LogLevel::Info;
    };
    let times = [entry.timestamp, entry.time, entry.at_timestamp];
    let timed = times
        .iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|time| time.parse::<Timestamp>().is_ok());
    let level = entry
        .level
        .as_ref()
        .and_then(Value::as_str)
        .map(str::to_ascii_uppercase)
        .filter(|_| timed);
    match level.as_deref() {
        // the names of Python's logging
        Some("WARNING") => LogLevel::Warn,
        Some("CRITICAL") => LogLevel::Fatal,
        Some(word) => LogLevel::ALL
            .into_iter()
            .find(|level| level.word() == word)
            .unwrap_or_default(),
        None => LogLevel::Info,
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Milliseconds, to the microsecond.
fn rounded(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// Whole milliseconds, with the initialisation.
fn billed(duration: Duration, init: Option<Duration>) -> u64 {
    ms(duration + init.unwrap_or_default()).ceil() as u64
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
