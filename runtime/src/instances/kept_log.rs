//! The log of a host in its state folder: JSON lines in two files of bounded size, so that
//! `usher logs` shows calls of this host and of earlier ones.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::log_record::LogRecord;

/// The newer file.
const CURRENT: &str = "log.jsonl";
/// The older file.
const BEFORE: &str = "log.1.jsonl";

/// Bytes of a file at most; then it replaces the older one.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Writes the log of a host.
#[derive(Debug)]
pub struct KeptLog {
    folder: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    max: u64,
}

impl KeptLog {
    /// Continues the log of the folder.
    ///
    /// # Errors
    /// The file cannot be created or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::with_max(folder, MAX_BYTES)
    }

    fn with_max(folder: &Path, max: u64) -> io::Result<Self> {
        let file = append(folder)?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            folder: folder.to_owned(),
            file: BufWriter::new(file),
            bytes,
            max,
        })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The file cannot be written or replaced.
    pub(super) fn write(&mut self, record: &LogRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.max {
            self.file.flush()?;
            fs::rename(self.folder.join(CURRENT), self.folder.join(BEFORE))?;
            self.file = BufWriter::new(append(&self.folder)?);
            self.bytes = 0;
        }
        self.bytes += line.len() as u64;
        self.file.write_all(&line)
    }

    /// Makes what was written visible to readers.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Functions may print what only their user may read.
    options.append(true).create(true).mode(0o600);
    options.open(folder.join(CURRENT))
}

/// The files of a folder's log, the older one first. They need not exist.
pub fn files(folder: &Path) -> [PathBuf; 2] {
    [BEFORE, CURRENT].map(|name| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instances::log_record::LogContent;

    fn record(n: usize) -> LogRecord {
        LogRecord {
            time: jiff::Timestamp::UNIX_EPOCH,
            function: Some("F".to_owned()),
            request_id: None,
            content: LogContent::Output {
                text: format!("line {n:03}"),
            },
        }
    }

    fn kept(folder: &Path) -> Vec<LogRecord> {
        let texts = files(folder).map(|file| fs::read_to_string(file).unwrap_or_default());
        let lines = texts.iter().flat_map(|text| text.lines());
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn two_files_of_bounded_size_hold_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let one = serde_json::to_vec(&record(0)).unwrap().len() as u64 + 1;
        for begin in [0, 25] {
            // The second host continues the first one's log.
            let mut log = KeptLog::with_max(folder.path(), 10 * one).unwrap();
            for n in begin..begin + 25 {
                log.write(&record(n)).unwrap();
            }
            log.flush().unwrap();
        }
        let expected: Vec<LogRecord> = (30..50).map(record).collect();
        assert_eq!(kept(folder.path()), expected);
    }
}
