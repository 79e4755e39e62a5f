//! Where the log goes: an output in the style of the host, and the log that is kept.

use std::borrow::Cow;
use std::io::{self, Write};

use jiff::Timestamp;

use super::kept_log::KeptLog;
use super::log_record::{LogContent, LogRecord, LogStyle};
use crate::terminal;

/// Where the writing thread writes.
#[derive(Debug)]
pub(super) struct LogTarget<W> {
    pub(super) out: W,
    pub(super) style: LogStyle,
    /// The log in the state folder.
    pub(super) kept: Option<KeptLog>,
}

impl<W: Write> LogTarget<W> {
    /// Writes a line: as `lines` in Lambda's style, else as its record.
    pub(super) fn write(
        &mut self,
        function: &str,
        id: Option<&str>,
        lines: &[Cow<'_, str>],
        record: impl FnOnce() -> Option<LogRecord>,
    ) -> io::Result<()> {
        if self.style == LogStyle::Lambda {
            let id = id.unwrap_or("-");
            for text in lines {
                // the tail keeps the function's own characters; a terminal gets them escaped
                writeln!(self.out, "{function} {id} | {}", terminal::line(text))?;
            }
            if self.kept.is_none() {
                return Ok(());
            }
        }
        record().map_or(Ok(()), |record| self.record(&record))
    }

    /// Writes a record, except to an output in Lambda's style.
    fn record(&mut self, record: &LogRecord) -> io::Result<()> {
        if let Some(Err(error)) = self.kept.as_mut().map(|kept| kept.write(record)) {
            tracing::error!(%error, "the log in the state folder cannot be written; `usher logs` ends here");
            self.kept = None;
        }
        match self.style {
            LogStyle::Calls => writeln!(self.out, "{}", terminal::line(&record.to_string())),
            LogStyle::Lambda => Ok(()),
            LogStyle::Json => {
                let json = serde_json::to_string(record)?;
                writeln!(self.out, "{}", terminal::line(&json))
            }
        }
    }

    /// Writes a line of the host about the function.
    pub(super) fn platform(
        &mut self,
        function: &str,
        at: Timestamp,
        text: String,
    ) -> io::Result<()> {
        if self.style == LogStyle::Lambda {
            writeln!(self.out, "{function} | {text}")?;
        }
        self.record(&LogRecord {
            time: at,
            function: Some(function.to_owned()),
            request_id: None,
            content: LogContent::Platform { text },
        })
    }

    /// Passes on what was written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        // An error is reported with the next record.
        let _ = self.kept.as_mut().map(KeptLog::flush);
        self.out.flush()
    }
}
