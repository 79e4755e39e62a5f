//! What is known of a partition's log.

use crate::mapping::Offset;

/// The ends of a partition's log. librdkafka reports them with what it fetches; a partition of which it fetches nothing, because this host
/// holds as many of its records as it may, is looked up by `survey` instead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::kafka) struct LogEnd {
    /// Next offset that librdkafka fetches.
    pub(in crate::kafka) next: Option<Offset>,
    /// High watermark.
    pub(in crate::kafka) end: Option<Offset>,
    /// Last stable offset.
    pub(in crate::kafka) stable: Option<Offset>,
    /// Last stable offset, looked up after librdkafka reported the one above.
    looked_up: Option<Offset>,
}

impl LogEnd {
    /// What librdkafka reports; negative: not known.
    pub(in crate::kafka) fn reported(next: Offset, end: Offset, stable: Offset) -> Self {
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
    pub(super) fn report(&mut self, report: Self) {
        let looked_up = self.looked_up.filter(|_| self.stable == report.stable);
        *self = Self {
            looked_up,
            ..report
        };
    }

    pub(super) fn look_up(&mut self, stable: Offset) {
        self.looked_up = Some(stable);
    }

    pub(super) fn stable_end(&self) -> Option<Offset> {
        self.looked_up.or(self.stable)
    }

    pub(super) fn high_end(&self) -> Option<Offset> {
        self.end.max(self.looked_up)
    }

    /// Offsets behind the last stable one: they belong to a transaction that is open, or follow its beginning. Known only where
    /// everything before them was fetched.
    pub(super) fn held_back(&self) -> i64 {
        let held_back = self
            .looked_up
            .is_none()
            .then(|| self.end.zip(self.stable).map(|(end, stable)| end - stable));
        held_back.flatten().unwrap_or_default().max(0)
    }
}
