//! Writes the lines of functions, with the platform's START, END and REPORT lines between.
//!
//! One thread writes. Its queue is bounded per function: a function that floods the log loses its
//! own lines, with a line that counts them, and never another function's. No function waits for a
//! slow terminal.

use std::borrow::Cow;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use jiff::Timestamp;

use super::process::{Memory, memory};
use super::records::{self, LogLine};
use super::tail::{LogTail, LogTails};
use crate::terminal;
use sam_template::model::{Initialization, Logging};

/// Queued lines of one function at most.
const QUEUE_PER_FUNCTION: usize = 4_096;

/// Bytes of a line at most; the rest of a longer one follows as lines of its own.
pub(super) const MAX_LINE: usize = 64 * 1024;

struct Entry {
    source: Arc<LogSource>,
    request_id: Option<Arc<str>>,
    line: LogLine,
    at: Timestamp,
}

/// A function, with its lines that wait or were dropped.
#[derive(Debug, Default)]
struct LogSource {
    function: String,
    logging: Logging,
    initialization: Initialization,
    waiting: AtomicUsize,
    dropped: AtomicUsize,
    dropped_bytes: AtomicUsize,
}

/// A handle of the writing thread.
#[derive(Debug, Clone)]
pub struct Logs {
    sender: Sender<Entry>,
    tails: Arc<LogTails>,
}

/// The end of the writing thread.
#[derive(Debug)]
pub struct LogFlush(Receiver<()>);

impl LogFlush {
    /// Blocks until every handle is dropped and every line is written, for `timeout` at most.
    pub fn wait(&self, timeout: Duration) {
        // nothing is sent: the sender is dropped at the end
        let _ = self.0.recv_timeout(timeout);
    }
}

/// Writes the lines of one function.
#[derive(Debug, Clone)]
pub(super) struct FunctionLog {
    source: Arc<LogSource>,
    sender: Sender<Entry>,
}

impl Logs {
    /// Starts a thread that writes to `out` until every handle is dropped.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self::with_end(out).0
    }

    /// The same, for a program that must not end before the last line is written.
    pub fn with_end(mut out: impl Write + Send + 'static) -> (Self, LogFlush) {
        let (sender, receiver) = channel();
        let (writing, written) = channel();
        let tails = Arc::new(LogTails::default());
        let collecting = tails.clone();
        std::thread::spawn(move || {
            // a panic loses only the line that caused it
            while catch_unwind(AssertUnwindSafe(|| {
                write_all(&receiver, &collecting, &mut out);
            }))
            .is_err()
            {
                tracing::error!(
                    alarm = "log_line_lost",
                    "a line of a function's log made its writer panic; the line is lost"
                );
            }
            drop::<Sender<()>>(writing);
        });
        (Self { sender, tails }, LogFlush(written))
    }

    /// Writes to standard output.
    pub fn stdout() -> Self {
        Self::to(std::io::stdout())
    }

    /// Collects the last lines of an invocation, which must not have started.
    pub fn tail(&self, request_id: &str) -> LogTail {
        LogTail::new(self.tails.clone(), request_id)
    }

    pub(super) fn of(
        &self,
        function: &str,
        logging: &Logging,
        initialization: Initialization,
    ) -> FunctionLog {
        let source = LogSource {
            function: function.to_owned(),
            logging: logging.clone(),
            initialization,
            ..LogSource::default()
        };
        FunctionLog {
            source: Arc::new(source),
            sender: self.sender.clone(),
        }
    }
}

impl FunctionLog {
    /// Queues a line, unless the function's log level excludes it.
    pub(super) fn write(&self, request_id: Option<&Arc<str>>, line: LogLine) {
        let source = &self.source;
        let bytes = match &line {
            LogLine::Output { text } if source.excludes(text) => return,
            LogLine::Output { text } => text.len(),
            _ => 0,
        };
        if source.waiting.fetch_add(1, Ordering::Relaxed) >= QUEUE_PER_FUNCTION {
            source.waiting.fetch_sub(1, Ordering::Relaxed);
            source.dropped.fetch_add(1, Ordering::Relaxed);
            source.dropped_bytes.fetch_add(bytes, Ordering::Relaxed);
            return;
        }
        let entry = Entry {
            source: source.clone(),
            request_id: request_id.cloned(),
            line,
            at: Timestamp::now(),
        };
        // an error means that the thread has ended, because standard output is closed
        let _ = self.sender.send(entry);
    }
}

fn write_all(receiver: &Receiver<Entry>, tails: &LogTails, out: &mut impl Write) {
    while let Ok(first) = receiver.recv() {
        let mut next = Some(first);
        while let Some(entry) = next {
            let source = &entry.source;
            source.waiting.fetch_sub(1, Ordering::Relaxed);
            let dropped = source.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let bytes = source.dropped_bytes.swap(0, Ordering::Relaxed);
                let text = records::dropped(dropped, bytes, entry.at, &source.logging);
                if writeln!(out, "{} | {text}", source.function).is_err() {
                    return;
                }
            }
            for text in entry.lines() {
                if let Some(id) = &entry.request_id {
                    tails.add(id, &entry.line, &text);
                }
                // the tail keeps the function's own characters; a terminal gets them escaped
                let shown = terminal::line(&text);
                let id = entry.request_id.as_deref().unwrap_or("-");
                if writeln!(out, "{} {id} | {shown}", source.function).is_err() {
                    return;
                }
            }
            if let (Some(id), LogLine::Report { .. }) = (&entry.request_id, &entry.line) {
                tails.ended(id);
            }
            next = receiver.try_recv().ok();
        }
        if out.flush().is_err() {
            return;
        }
    }
}

impl LogSource {
    /// The function's log level excludes a line that it printed.
    fn excludes(&self, text: &str) -> bool {
        self.logging.is_json() && records::level_of(text) < self.logging.application
    }
}

impl Entry {
    /// The lines of text of this entry.
    fn lines(&self) -> Vec<Cow<'_, str>> {
        let id = self.request_id.as_deref().unwrap_or("-");
        let LogSource {
            logging,
            initialization,
            ..
        } = &*self.source;
        let peak = match self.line {
            LogLine::Report { pid: Some(pid), .. }
                if *initialization == Initialization::OnDemand =>
            {
                memory(pid, Memory::Peak)
            }
            _ => None,
        };
        if logging.is_json() {
            return records::json(&self.line, id, self.at, peak, (logging, *initialization));
        }
        let line = records::text(&self.line, id, peak, *initialization);
        line.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sam_template::model::{LogFormat, LogLevel};

    fn entry(line: LogLine) -> Entry {
        let source = LogSource {
            function: "Echo".into(),
            ..LogSource::default()
        };
        Entry {
            source: Arc::new(source),
            request_id: Some("8f5".into()),
            line,
            at: Timestamp::now(),
        }
    }

    #[test]
    fn a_line_names_its_function_and_request() {
        let (sender, receiver) = channel();
        sender
            .send(entry(LogLine::Output {
                text: "hello".into(),
            }))
            .unwrap();
        drop(sender);
        let mut out = Vec::new();
        write_all(&receiver, &LogTails::default(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "Echo 8f5 | hello\n");
    }

    #[test]
    fn control_characters_are_escaped_and_json_stays() {
        let (sender, receiver) = channel();
        let json = "{\"a\":\"\u{9b}2J\u{202e}\"}";
        for text in ["\x1b[2Jhello\rbye", json] {
            sender
                .send(entry(LogLine::Output { text: text.into() }))
                .unwrap();
        }
        drop(sender);
        let mut out = Vec::new();
        write_all(&receiver, &LogTails::default(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "Echo 8f5 | \\u001b[2Jhello\\rbye\nEcho 8f5 | {\"a\":\"\\u009b2J\\u202e\"}\n"
        );
    }

    #[test]
    fn lines_below_the_functions_level_are_excluded() {
        let (sender, receiver) = channel();
        let logging = Logging {
            format: Some(LogFormat::Json),
            application: LogLevel::Warn,
            ..Logging::default()
        };
        let log = Logs {
            sender,
            tails: Arc::default(),
        }
        .of("Quiet", &logging, Initialization::OnDemand);
        let line =
            |level: &str| format!(r#"{{"level":"{level}","timestamp":"2026-11-29T10:00:00Z"}}"#);
        for text in [
            line("info"),
            line("warn"),
            "plain".to_owned(),
            line("error"),
        ] {
            log.write(None, LogLine::Output { text });
        }
        drop(log);
        let mut out = Vec::new();
        write_all(&receiver, &LogTails::default(), &mut out);
        let expected = ["warn", "error"]
            .map(|level| format!("Quiet - | {}\n", line(level)))
            .concat();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_flood_loses_its_own_lines_with_a_count() {
        let (sender, receiver) = channel();
        let log = Logs {
            sender,
            tails: Arc::default(),
        }
        .of("Loud", &Logging::default(), Initialization::OnDemand);
        for n in 0..QUEUE_PER_FUNCTION + 7 {
            log.write(
                None,
                LogLine::Output {
                    text: n.to_string(),
                },
            );
        }
        drop(log);
        let mut out = Vec::new();
        write_all(&receiver, &LogTails::default(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("(7 lines dropped"), "{}", &text[..200]);
        assert_eq!(text.lines().count(), QUEUE_PER_FUNCTION + 1);
    }

    /// Panics at one line.
    struct Fragile(Sender<String>);

    impl Write for Fragile {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            assert!(!text.contains("bad"), "on purpose");
            let _ = self.0.send(text);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_panics_the_writer_loses_no_other() {
        let (sender, written) = channel();
        let (logs, end) = Logs::with_end(Fragile(sender));
        let log = logs.of("F", &Logging::default(), Initialization::OnDemand);
        for text in ["one", "bad", "two"] {
            log.write(None, LogLine::Output { text: text.into() });
        }
        drop((log, logs));
        end.wait(Duration::from_secs(10));
        let text: String = written.try_iter().collect();
        assert!(
            text.contains("one") && text.contains("two") && !text.contains("bad"),
            "{text}"
        );
    }
}
