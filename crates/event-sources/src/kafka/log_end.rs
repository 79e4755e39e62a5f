//! The end of a partition's log.

use crate::stream::Offset;

/// The ends of a partition's log. librdkafka reports them with each fetch. A partition that it does
/// not fetch, because the host's buffer is full, must be looked up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogEnd {
    /// Next offset that librdkafka fetches.
    pub next: Option<Offset>,
    /// High watermark.
    pub end: Option<Offset>,
    /// Last stable offset.
    pub stable: Option<Offset>,
    /// Last stable offset, looked up after librdkafka reported the one above.
    looked_up: Option<Offset>,
}

impl LogEnd {
    /// A report of librdkafka; negative offsets are unknown.
    pub fn reported(next: Offset, end: Offset, stable: Offset) -> Self {
        let known = |offset: Offset| (offset >= 0).then_some(offset);
        let stable = known(stable).or(known(end));
        // librdkafka reports 0 as the next offset before the first answer to a fetch
        Self {
            next: known(next).filter(|_| stable.is_some()),
            end: known(end),
            stable,
            looked_up: None,
        }
    }

    /// Applies a report. A value that was looked up stays until the last stable offset changes.
    pub fn report(&mut self, report: Self) {
        let looked_up = self.looked_up.filter(|_| self.stable == report.stable);
        *self = Self {
            looked_up,
            ..report
        };
    }

    /// Records a last stable offset that was looked up.
    pub fn look_up(&mut self, stable: Offset) {
        self.looked_up = Some(stable);
    }

    /// Last stable offset: the one looked up, or the one reported.
    pub fn stable_end(&self) -> Option<Offset> {
        self.looked_up.or(self.stable)
    }

    /// End of the log as far as known.
    pub fn high_end(&self) -> Option<Offset> {
        self.end.max(self.looked_up)
    }

    /// Number of offsets behind the last stable one, which an open transaction holds back. 0 unless
    /// everything before them was fetched.
    pub fn held_back(&self) -> i64 {
        let held_back = self
            .looked_up
            .is_none()
            .then(|| self.end.zip(self.stable).map(|(end, stable)| end - stable));
        held_back.flatten().unwrap_or_default().max(0)
    }
}
