//! What was missed while no host ran: a file keeps when one last did.
//!
//! One time for all schedules is enough: while a host runs, every schedule is looked after. Missed times are reported and
//! never made up for, as the services do not either.

use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Expression;
use sam_template::model::Schedule;

/// Counted no further: the message says "more than".
const MOST_COUNTED: usize = 1000;

/// The file that remembers.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    file: PathBuf,
}

impl Seen {
    pub(super) fn at(file: &Path) -> Self {
        Self {
            file: file.to_path_buf(),
        }
    }

    /// When a host last looked after the schedules; `None`: never, or the file says nothing that can be read.
    pub(super) fn last(&self) -> Option<Timestamp> {
        std::fs::read_to_string(&self.file)
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Remembers a time. What fails is only said: schedules fire without it.
    pub(super) fn note(&self, now: Timestamp) {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let half = self.file.with_extension("new");
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&half, now.to_string()))
            .and_then(|()| std::fs::rename(&half, &self.file));
        if let Err(error) = written {
            tracing::warn!(%error, file = %self.file.display(), "cannot remember that the schedules are looked after");
        }
    }
}

/// How often a schedule would have fired in between; at most one more than [`MOST_COUNTED`].
pub(super) fn missed(
    schedule: &Schedule,
    expression: &Expression,
    zone: &TimeZone,
    since: Timestamp,
    until: Timestamp,
) -> usize {
    // A rate begins anew with every host; those that were missed are counted from the end of the last one.
    let start = schedule.start.unwrap_or(since);
    let mut last = since.max(start - SignedDuration::from_nanos(1));
    let end = schedule.end.map_or(until, |end| end.min(until));
    let mut count = 0;
    while count <= MOST_COUNTED {
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
pub(super) fn shown(count: usize) -> String {
    if count > MOST_COUNTED {
        format!("more than {MOST_COUNTED}")
    } else {
        count.to_string()
    }
}
