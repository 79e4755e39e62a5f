//! A line of the host's log as a record: one line to read, or JSON. Pure.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::records::{self, LogLine};
use crate::invocation::Trigger;
use sam_template::model::Initialization;

/// How a host prints calls and the output of functions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogStyle {
    /// One line per call, and the function's own lines
    #[default]
    Calls,
    /// START, END and REPORT lines, or the records of `LogFormat: JSON`, as in the cloud
    Lambda,
    /// One JSON object per line
    Json,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRecord {
    /// When it was written; of a call, when it ended.
    pub time: Timestamp,
    /// Logical id of the function; `None`: a request that reached none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Request id of the invocation; `None`: outside of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What it reports.
    #[serde(flatten)]
    pub content: LogContent,
}

/// What a line reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
pub enum LogContent {
    /// The function printed it.
    Output {
        /// Without its end.
        text: String,
    },
    /// The host reports something about a process of the function.
    Platform {
        /// One line.
        text: String,
    },
    /// An invocation ended that no HTTP request caused.
    Call {
        /// What caused it: `sqs Orders`, `event`, `invoke`.
        trigger: String,
        /// Records of a mapping's batch, else 0.
        records: usize,
        /// From delivery to answer, milliseconds.
        duration_ms: f64,
        /// Initialisation before it, milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        init_ms: Option<f64>,
        /// Type and message of the error; `None`: the function answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An HTTP request was answered.
    Http {
        /// Its method.
        method: String,
        /// Its path, without the query, which may hold secrets.
        path: String,
        /// Status of the answer.
        status: u16,
        /// From the request's head to the answer, milliseconds.
        duration_ms: f64,
        /// Why the host or the function could not answer it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

impl LogRecord {
    /// Whether it is the end of a call.
    pub fn is_call(&self) -> bool {
        matches!(
            self.content,
            LogContent::Call { .. } | LogContent::Http { .. }
        )
    }

    /// Whether it is a call that failed: an error, or an HTTP status from 500 on.
    pub fn is_failed_call(&self) -> bool {
        match &self.content {
            LogContent::Call { error, .. } => error.is_some(),
            LogContent::Http { error, status, .. } => error.is_some() || *status >= 500,
            LogContent::Output { .. } | LogContent::Platform { .. } => false,
        }
    }
}

/// The record of a line, for the styles that are not Lambda's; `None`: another line reports it.
pub(super) fn record(
    line: &LogLine,
    function: &str,
    id: Option<&str>,
    at: Timestamp,
    initialization: Initialization,
) -> Option<LogRecord> {
    let named = |function: Option<&str>, content| LogRecord {
        time: at,
        function: function.map(str::to_owned),
        request_id: id.map(str::to_owned),
        content,
    };
    let content = match line {
        LogLine::Output { text } => LogContent::Output { text: text.clone() },
        LogLine::Ended(ended) if ended.trigger == Trigger::Http => return None,
        LogLine::Ended(ended) => LogContent::Call {
            trigger: ended.trigger.to_string(),
            records: ended.records,
            duration_ms: (ended.duration_ms * 1000.0).round() / 1000.0,
            init_ms: ended.init_ms.map(f64::round),
            error: ended
                .error
                .as_ref()
                .map(|e| reason(&e.error_type, &e.message)),
        },
        LogLine::Http(call) => {
            let content = LogContent::Http {
                method: call.method.clone(),
                path: call.path.clone(),
                status: call.status,
                duration_ms: (call.duration.as_micros() as f64) / 1000.0,
                error: call.error.clone(),
            };
            return Some(named(call.function.as_deref(), content));
        }
        // The error of a call is on its own line.
        LogLine::Failure { .. } if id.is_some() => return None,
        LogLine::Start | LogLine::End { .. } | LogLine::Report { .. } => return None,
        LogLine::InitStart | LogLine::InitEnd { .. } | LogLine::Failure { .. } => {
            let text = records::text(line, "-", None, initialization)?.into_owned();
            LogContent::Platform { text }
        }
    };
    Some(named(Some(function), content))
}

/// Type and message of an error, without the request id with which Lambda's own messages begin.
pub(crate) fn reason(error_type: &str, message: &str) -> String {
    let message = message
        .strip_prefix("RequestId: ")
        .and_then(|rest| rest.split_once(" Error: "))
        .map_or(message, |(_, message)| message);
    format!("{error_type}: {message}")
}

/// The line to read. It may contain text from outside, which a terminal needs escaped.
impl fmt::Display for LogRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let function = self.function.as_deref().unwrap_or("-");
        let id = self.request_id.as_deref().unwrap_or("-");
        let time = self.time.strftime("%H:%M:%S%.3fZ");
        match &self.content {
            LogContent::Output { text } | LogContent::Platform { text } => {
                write!(f, "{function} {id} | {text}")
            }
            LogContent::Call {
                trigger,
                records,
                duration_ms,
                init_ms,
                error,
            } => {
                let status = if error.is_some() { "error" } else { "ok" };
                let duration = milliseconds(*duration_ms);
                write!(f, "{time} {status:<5} {duration:>9} {function} < {trigger}")?;
                match records {
                    0 => {}
                    1 => f.write_str(", 1 record")?,
                    records => write!(f, ", {records} records")?,
                }
                if let Some(init) = init_ms {
                    write!(f, ", started in {}", milliseconds(*init))?;
                }
                ending(f, id, error.as_deref())
            }
            LogContent::Http {
                method,
                path,
                status,
                duration_ms,
                error,
            } => {
                let duration = milliseconds(*duration_ms);
                write!(
                    f,
                    "{time} {status:<5} {duration:>9} {function} < {method} {path}"
                )?;
                ending(f, id, error.as_deref())
            }
        }
    }
}

fn ending(f: &mut fmt::Formatter<'_>, id: &str, error: Option<&str>) -> fmt::Result {
    write!(f, "  {id}")?;
    error.map_or(Ok(()), |error| write!(f, "  {error}"))
}

/// Whole milliseconds from 10 on, tenths below.
fn milliseconds(ms: f64) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = if ms < 10.0 {
        write!(text, "{ms:.1} ms")
    } else {
        write!(text, "{ms:.0} ms")
    };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: LogContent) -> LogRecord {
        LogRecord {
            time: "2026-12-01T09:08:07.006Z".parse().unwrap(),
            function: Some("Worker".to_owned()),
            request_id: Some("8f5".to_owned()),
            content,
        }
    }

    fn failed() -> LogRecord {
        record(LogContent::Call {
            trigger: "sqs Orders".to_owned(),
            records: 3,
            duration_ms: 3001.4,
            init_ms: Some(81.0),
            error: Some("ValueError: no such seat".to_owned()),
        })
    }

    fn answered(status: u16) -> LogRecord {
        record(LogContent::Http {
            method: "GET".to_owned(),
            path: "/orders/7".to_owned(),
            status,
            duration_ms: 1.26,
            error: None,
        })
    }

    #[test]
    fn a_call_is_one_line_with_its_error() {
        assert_eq!(
            failed().to_string(),
            "09:08:07.006Z error   3001 ms Worker < sqs Orders, 3 records, started in 81 ms  8f5  \
             ValueError: no such seat"
        );
        assert_eq!(
            answered(200).to_string(),
            "09:08:07.006Z 200      1.3 ms Worker < GET /orders/7  8f5"
        );
        let text = "hello".to_owned();
        let output = record(LogContent::Output { text });
        assert_eq!(output.to_string(), "Worker 8f5 | hello");
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for record in [failed(), answered(503)] {
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<LogRecord>(&json).unwrap(), record);
        }
    }

    #[test]
    fn an_error_or_a_status_from_500_on_is_a_failure() {
        assert!(failed().is_failed_call() && answered(502).is_failed_call());
        assert!(!answered(404).is_failed_call() && answered(404).is_call());
    }
}
