//! The end of what one invocation printed, for a caller that asked for it (`X-Amz-Log-Type: Tail`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::records::Line;

/// Bytes of the log that a caller receives at most (Lambda: the last 4 KB).
const MOST_BYTES: usize = 4 * 1024;

/// How long the platform's last line may take to be written after the answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the function printed travels by another way than its answer, and may come this much later.
const STRAGGLERS: Duration = Duration::from_millis(30);

#[derive(Debug, Default)]
struct Collected {
    start: String,
    output: String,
    end: String,
    reported: Arc<Notify>,
}

/// The invocations whose lines are collected.
#[derive(Debug, Default)]
pub(super) struct Tails {
    count: AtomicUsize,
    wanted: Mutex<HashMap<String, Collected>>,
}

impl Tails {
    fn wanted(&self) -> MutexGuard<'_, HashMap<String, Collected>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line is being written.
    pub(super) fn take(&self, request_id: &str, line: &Line, text: &str) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut wanted = self.wanted();
        let Some(collected) = wanted.get_mut(request_id) else {
            return;
        };
        let part = match line {
            Line::InitStart | Line::InitEnd { .. } | Line::Start => &mut collected.start,
            Line::Output { .. } | Line::Failure { .. } => &mut collected.output,
            Line::End { .. } | Line::Report { .. } => &mut collected.end,
        };
        part.push_str(text);
        part.push('\n');
        cut(part);
    }

    /// The invocation's last line was written, or left out.
    pub(super) fn ended(&self, request_id: &str) {
        if self.count.load(Ordering::Relaxed) > 0
            && let Some(collected) = self.wanted().get(request_id)
        {
            collected.reported.notify_one();
        }
    }
}

/// Keeps the last bytes, whole characters.
fn cut(text: &mut String) {
    let mut from = text.len().saturating_sub(MOST_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.drain(..from);
}

/// Collects the lines of one invocation until it is dropped.
#[derive(Debug)]
pub struct Tail {
    tails: Arc<Tails>,
    request_id: String,
    reported: Arc<Notify>,
}

impl Tail {
    pub(super) fn new(tails: Arc<Tails>, request_id: &str) -> Self {
        let collected = Collected::default();
        let reported = collected.reported.clone();
        tails.wanted().insert(request_id.to_owned(), collected);
        tails.count.fetch_add(1, Ordering::Relaxed);
        Self {
            tails,
            request_id: request_id.to_owned(),
            reported,
        }
    }

    /// The last 4 KB, once the invocation has ended.
    pub async fn text(self) -> String {
        // an invocation that never reached a process has no report
        if tokio::time::timeout(PATIENCE, self.reported.notified())
            .await
            .is_ok()
        {
            tokio::time::sleep(STRAGGLERS).await;
        }
        let wanted = self.tails.wanted();
        let Some(collected) = wanted.get(&self.request_id) else {
            return String::new();
        };
        let mut text = format!("{}{}{}", collected.start, collected.output, collected.end);
        cut(&mut text);
        text
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        if self.tails.wanted().remove(&self.request_id).is_some() {
            self.tails.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::records::Status;
    use super::*;

    #[tokio::test]
    async fn the_last_four_kilobytes_come_in_the_platforms_order_whatever_came_first() {
        let tails = Arc::new(Tails::default());
        let tail = Tail::new(tails.clone(), "r");
        tails.take("other", &Line::Start, "not this one");
        tails.take("r", &Line::Start, "START");
        let report = Line::Report {
            duration: Duration::ZERO,
            init: None,
            memory_mb: 128,
            pid: None,
            status: Status::Success,
        };
        tails.take("r", &report, "REPORT");
        tails.ended("r");
        tails.take(
            "r",
            &Line::Output {
                text: String::new(),
            },
            "late",
        );
        assert_eq!(tail.text().await, "START\nlate\nREPORT\n");
        assert!(tails.wanted().is_empty());

        let tail = Tail::new(tails.clone(), "r");
        for _ in 0..100 {
            tails.take(
                "r",
                &Line::Output {
                    text: String::new(),
                },
                &"ä".repeat(100),
            );
        }
        tails.take("r", &report, "REPORT");
        tails.ended("r");
        let text = tail.text().await;
        assert!(
            text.len() <= MOST_BYTES
                && text.len() > MOST_BYTES - 3
                && text.ends_with("ä\nREPORT\n"),
            "{}",
            text.len()
        );
    }
}
