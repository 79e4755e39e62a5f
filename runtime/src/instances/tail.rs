//! The last log lines of one invocation, for a caller that requested them (`X-Amz-Log-Type: LogTail`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::records::LogLine;
use crate::lock::lock;

/// Bytes of the log that a caller receives at most (Lambda: the last 4 KB).
const MAX_BYTES: usize = 4 * 1024;

/// Time for the platform's last line to be written after the answer.
const REPORT_TIMEOUT: Duration = Duration::from_millis(500);

/// Time for output that arrives after the answer: it travels through another pipe.
const LATE_OUTPUT: Duration = Duration::from_millis(30);

#[derive(Debug, Default)]
struct Collected {
    start: String,
    output: String,
    end: String,
    reported: Arc<Notify>,
}

/// The invocations whose lines are collected, by request id.
#[derive(Debug, Default)]
pub(super) struct LogTails(Mutex<HashMap<String, Collected>>);

impl LogTails {
    fn by_request(&self) -> MutexGuard<'_, HashMap<String, Collected>> {
        lock(&self.0)
    }

    /// Collects a line that is being written.
    pub(super) fn add(&self, request_id: &str, line: &LogLine, text: &str) {
        let mut collecting = self.by_request();
        let Some(collected) = collecting.get_mut(request_id) else {
            return;
        };
        let part = match line {
            LogLine::InitStart | LogLine::InitEnd { .. } | LogLine::Start => &mut collected.start,
            LogLine::Output { .. } | LogLine::Failure { .. } => &mut collected.output,
            LogLine::End { .. } | LogLine::Report { .. } => &mut collected.end,
            LogLine::Ended(_) | LogLine::Http(_) => return,
        };
        part.push_str(text);
        part.push('\n');
        keep_last(part);
    }

    /// The invocation's last line was written, or filtered out.
    pub(super) fn ended(&self, request_id: &str) {
        if let Some(collected) = self.by_request().get(request_id) {
            collected.reported.notify_one();
        }
    }
}

/// Keeps the last bytes, in whole characters.
fn keep_last(text: &mut String) {
    let mut from = text.len().saturating_sub(MAX_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.drain(..from);
}

/// Collects the lines of one invocation until it is dropped.
#[derive(Debug)]
pub struct LogTail {
    tails: Arc<LogTails>,
    request_id: String,
    reported: Arc<Notify>,
}

impl LogTail {
    pub(super) fn new(tails: Arc<LogTails>, request_id: &str) -> Self {
        let collected = Collected::default();
        let reported = collected.reported.clone();
        tails.by_request().insert(request_id.to_owned(), collected);
        Self {
            tails,
            request_id: request_id.to_owned(),
            reported,
        }
    }

    /// The last 4 KB, once the invocation has ended.
    pub async fn text(self) -> String {
        // an invocation that never reached a process has no report
        if tokio::time::timeout(REPORT_TIMEOUT, self.reported.notified())
            .await
            .is_ok()
        {
            tokio::time::sleep(LATE_OUTPUT).await;
        }
        let collecting = self.tails.by_request();
        let Some(collected) = collecting.get(&self.request_id) else {
            return String::new();
        };
        let mut text = format!("{}{}{}", collected.start, collected.output, collected.end);
        keep_last(&mut text);
        text
    }
}

impl Drop for LogTail {
    fn drop(&mut self) {
        self.tails.by_request().remove(&self.request_id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::PhaseStatus;
    use super::*;

    #[tokio::test]
    async fn the_tail_is_in_the_platforms_order() {
        let tails = Arc::new(LogTails::default());
        let tail = LogTail::new(tails.clone(), "r");
        tails.add("other", &LogLine::Start, "not this one");
        tails.add("r", &LogLine::Start, "START");
        let report = LogLine::Report {
            duration: Duration::ZERO,
            init: None,
            memory_mb: 128,
            pid: None,
            status: PhaseStatus::Success,
        };
        tails.add("r", &report, "REPORT");
        tails.ended("r");
        tails.add(
            "r",
            &LogLine::Output {
                text: String::new(),
            },
            "late",
        );
        assert_eq!(tail.text().await, "START\nlate\nREPORT\n");
        assert!(tails.by_request().is_empty());

        let tail = LogTail::new(tails.clone(), "r");
        for _ in 0..100 {
            tails.add(
                "r",
                &LogLine::Output {
                    text: String::new(),
                },
                &"ä".repeat(100),
            );
        }
        tails.add("r", &report, "REPORT");
        tails.ended("r");
        let text = tail.text().await;
        assert!(
            text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 3 && text.ends_with("ä\nREPORT\n"),
            "{}",
            text.len()
        );
    }
}
