//! Writes the lines of functions and of calls, or the platform's START, END and REPORT lines, in the
//! style of the host.
//!
//! One thread writes. Its queue is bounded per function: a function that floods the log loses its
//! own lines, with a line that counts them, and never another function's. No function waits for a
//! slow terminal.
//!
//! To the standard output of a host, the thread writes what has arrived, and then pauses: under
//! load, one wake-up of the thread and one write serve many lines. Without the pause each line
//! costs both.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufWriter, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Thread};
use std::time::Duration;

use jiff::Timestamp;

use super::kept_log::KeptLog;
use super::log_record::{self, LogRecord, LogStyle};
use super::log_target::LogTarget;
use super::process::{Memory, memory};
use super::records::{self, HttpCall, LogLine};
use super::tail::{LogTail, LogTails};
use crate::observation::Ended;
use sam_template::model::{Initialization, Logging};

/// Queued lines of one function at most.
const QUEUE_PER_FUNCTION: usize = 4_096;

/// Queued lines of one function that end the writer's pause.
const ENDS_PAUSE: usize = QUEUE_PER_FUNCTION / 4;

/// Time between two writes. A line that arrives after a longer silence is written at once.
const PAUSE: Duration = Duration::from_millis(50);

/// Bytes of one write.
const WRITE_BYTES: usize = 64 * 1024;

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
    writer: Thread,
    tails: Arc<LogTails>,
    style: LogStyle,
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
    writer: Thread,
}

impl Logs {
    /// Starts a thread that writes to `out` as Lambda does, until every handle is dropped.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self::with_end(out, LogStyle::Lambda).0
    }

    /// The same in any style, for a program that must not end before the last line is written.
    pub fn with_end(out: impl Write + Send + 'static, style: LogStyle) -> (Self, LogFlush) {
        let kept = None;
        Self::start(LogTarget { out, style, kept }, Duration::ZERO)
    }

    /// The same for standard output, with a pause after each write, and for the log that is kept.
    pub fn stdout(style: LogStyle, kept: Option<KeptLog>) -> (Self, LogFlush) {
        let out = BufWriter::with_capacity(WRITE_BYTES, std::io::stdout());
        Self::start(LogTarget { out, style, kept }, PAUSE)
    }

    fn start(
        mut target: LogTarget<impl Write + Send + 'static>,
        pause: Duration,
    ) -> (Self, LogFlush) {
        let style = target.style;
        let (sender, receiver) = channel();
        let (writing, written) = channel();
        let tails = Arc::new(LogTails::default());
        let collecting = tails.clone();
        let thread = thread::spawn(move || {
            // a panic loses only the line that caused it
            while catch_unwind(AssertUnwindSafe(|| {
                write_all(&receiver, &collecting, &mut target, pause);
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
        let logs = Self {
            sender,
            writer: thread.thread().clone(),
            tails,
            style,
        };
        (logs, LogFlush(written))
    }

    /// Collects the last lines of an invocation, which must not have started.
    pub fn tail(&self, request_id: &str) -> LogTail {
        LogTail::new(self.tails.clone(), request_id)
    }

    /// The log of answered HTTP requests.
    pub fn http(&self) -> HttpLog {
        let log = self.of("", &Logging::default(), Initialization::default());
        HttpLog {
            log,
            style: self.style,
        }
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
            writer: self.writer.clone(),
        }
    }
}

/// Writes the line of each answered HTTP request.
#[derive(Debug, Clone)]
pub struct HttpLog {
    log: FunctionLog,
    style: LogStyle,
}

impl HttpLog {
    /// Whether calls that failed appear with their errors among the others.
    pub fn shows_failures(&self) -> bool {
        self.style != LogStyle::Lambda
    }

    /// Queues the line of a request that had this request id.
    pub fn write(&self, request_id: &str, call: HttpCall) {
        let id = Arc::from(request_id);
        self.log.write(Some(&id), LogLine::Http(Box::new(call)));
    }
}

impl FunctionLog {
    /// Queues the line of an invocation that ended.
    pub(super) fn ended(&self, ended: &Ended) {
        let id = Arc::from(ended.request_id.as_str());
        self.write(Some(&id), LogLine::Ended(Box::new(ended.clone())));
    }

    /// Queues a line, unless the function's log level excludes it.
    pub(super) fn write(&self, request_id: Option<&Arc<str>>, line: LogLine) {
        let source = &self.source;
        let bytes = match &line {
            LogLine::Output { text } if source.excludes(text) => return,
            LogLine::Output { text } => text.len(),
            _ => 0,
        };
        let waiting = source.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting >= QUEUE_PER_FUNCTION {
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
        if waiting == ENDS_PAUSE {
            self.writer.unpark();
        }
    }
}

/// Ends where the target is closed.
fn write_all(
    receiver: &Receiver<Entry>,
    tails: &LogTails,
    target: &mut LogTarget<impl Write>,
    pause: Duration,
) {
    let mut peaks = PeakMemory::default();
    while let Ok(first) = receiver.recv() {
        let mut next = Some(first);
        while let Some(entry) = next {
            let source = &entry.source;
            source.waiting.fetch_sub(1, Ordering::Relaxed);
            let dropped = source.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let bytes = source.dropped_bytes.swap(0, Ordering::Relaxed);
                let text = records::dropped(dropped, bytes, entry.at, &source.logging);
                if target.platform(&source.function, entry.at, text).is_err() {
                    return;
                }
            }
            let lines = entry.lines(&mut peaks);
            if let Some(id) = &entry.request_id {
                for text in &lines {
                    tails.add(id, &entry.line, text);
                }
            }
            let id = entry.request_id.as_deref();
            let record = || entry.record();
            if target.write(&source.function, id, &lines, record).is_err() {
                return;
            }
            if let (Some(id), LogLine::Report { .. }) = (&entry.request_id, &entry.line) {
                tails.ended(id);
            }
            next = receiver.try_recv().ok();
        }
        if target.flush().is_err() {
            return;
        }
        peaks.0.clear();
        thread::park_timeout(pause);
    }
}

/// Peak memory by process, in bytes, as far as the reports of one write state it. A process that
/// handles thousands of events in a second is read once for each write, not for each event.
#[derive(Default)]
struct PeakMemory(HashMap<u32, Option<u64>>);

impl PeakMemory {
    fn of(&mut self, pid: u32) -> Option<u64> {
        let read = || memory(pid, Memory::Peak);
        *self.0.entry(pid).or_insert_with(read)
    }
}

impl LogSource {
    /// The function's log level excludes a line that it printed.
    fn excludes(&self, text: &str) -> bool {
        self.logging.is_json() && records::level_of(text) < self.logging.application
    }
}

impl Entry {
    fn record(&self) -> Option<LogRecord> {
        let id = self.request_id.as_deref();
        let source = &self.source;
        log_record::record(
            &self.line,
            &source.function,
            id,
            self.at,
            source.initialization,
        )
    }

    /// The lines of text of this entry.
    fn lines(&self, peaks: &mut PeakMemory) -> Vec<Cow<'_, str>> {
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
                peaks.of(pid)
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
#[path = "logs_tests.rs"]
mod tests;
