//! What is known of a partition's log.

use crate::stream::Offset;

/// The ends of a partition's log. librdkafka reports them with what it fetches; a partition of which it fetches nothing, because this host
/// holds as many of its records as it may, is looked up by `survey` instead.
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
    /// What librdkafka reports; negative: not known.
    pub fn reported(next: Offset, end: Offset, stable: Offset) -> Self {
        let known = |offset: Offset| (offset >= 0).then_some(offset);
        let stable = known(stable).or(known(end));
        // before the first answer to a fetch librdkafka reports 0
        Self {
            next: known(next).filter(|_| stable.is_some()),
            end: known(end),
            stable,
            looked_up: None,
        }
    }

    /// Takes over a report. One with the same last stable offset leaves what was looked up since.
    pub fn report(&mut self, report: Self) {
        let looked_up = self.looked_up.filter(|_| self.stable == report.stable);
        *self = Self {
            looked_up,
            ..report
        };
    }

    /// Keeps the last stable offset that was looked up.
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

    /// Offsets behind the last stable one: they belong to a transaction that is open, or follow its beginning. Known only where
    /// everything before them was fetched.
    pub fn held_back(&self) -> i64 {
        let held_back = self
            .looked_up
            .is_none()
            .then(|| self.end.zip(self.stable).map(|(end, stable)| end - stable));
        held_back.flatten().unwrap_or_default().max(0)
    }
}
