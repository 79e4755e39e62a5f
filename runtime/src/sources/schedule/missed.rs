//! Counts the firings that were missed while no host ran. A file keeps when a host last ran.
//!
//! Missed firings are logged and not repeated, as in the service.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Expression;
use sam_template::model::Schedule;

/// Upper bound of the count.
const MAX_COUNTED: usize = 1000;

/// The file with the time at which a host last ran.
#[derive(Debug, Clone)]
pub(super) struct LastRunFile {
    file: PathBuf,
}

impl LastRunFile {
    pub(super) fn at(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
        }
    }

    /// When a host last ran. `None`: never, or the file is not readable.
    pub(super) fn read(&self) -> Option<Timestamp> {
        std::fs::read_to_string(&self.file)
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Stores the time. A failure is logged only: schedules fire without the file.
    pub(super) fn write(&self, now: Timestamp) {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let half = self.file.with_extension("new");
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&half, now.to_string()))
            .and_then(|()| std::fs::rename(&half, &self.file));
        if let Err(error) = written {
            tracing::warn!(
                %error,
                file = %self.file.display(),
                "cannot store when schedules were last fired; missed firings will be reported \
                 wrongly"
            );
        }
    }
}

/// Number of firings between two times; at most one more than [`MAX_COUNTED`].
pub(super) fn count(
    schedule: &Schedule,
    expression: &Expression,
    zone: &TimeZone,
    since: Timestamp,
    until: Timestamp,
) -> usize {
    // A rate restarts with every host. Missed firings count from the end of the last one.
    let start = schedule.start.unwrap_or(since);
    let mut last = since.max(start - SignedDuration::from_nanos(1));
    let end = schedule.end.map_or(until, |end| end.min(until));
    let mut count = 0;
    while count <= MAX_COUNTED {
        match expression.next(start, last, zone) {
            Some(due) if due < end => {
                count += 1;
                last = due;
            }
            _ => break,
        }
    }
    count
}

/// The number for a message.
pub(super) fn format_count(count: usize) -> String {
    if count > MAX_COUNTED {
        format!("more than {MAX_COUNTED}")
    } else {
        count.to_string()
    }
}
