//! Which spans are kept, when they are sent, and which request waits for them. Pure: time and
//! randomness are parameters.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::telemetry::Span;
use lambda_batch::Backoff;

/// Maximum number of waiting spans. A large batch of orders fits; it takes a few megabytes.
pub(super) const MAX_WAITING: usize = 8_192;
/// Maximum number of spans per request.
pub(super) const MAX_BATCH: usize = 512;
/// How long spans are gathered while no request waits for them.
pub(super) const GATHER_TIME: Duration = Duration::from_millis(500);
/// Between two attempts while the collector is unavailable.
const RETRY_PAUSE: Backoff = Backoff {
    base: Duration::from_secs(2),
    cap: Duration::from_secs(60),
    max_attempts: None,
};
/// Minimum time between two reports of counts.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// Numbers of spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct SpanCounts {
    /// Accepted by the collector.
    pub(super) sent: u64,
    /// Dropped: there was no room, or the collector did not accept them.
    pub(super) dropped: u64,
}

/// What the exporting task does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Wait for spans.
    Idle,
    /// Wait until then, or until a request waits for its spans.
    Wait(Instant),
    /// Send these.
    Send(Vec<Span>),
}

/// A change of the collector that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CollectorChange {
    /// It accepts no spans.
    Unavailable,
    /// It accepts spans again. So many were lost during the outage.
    Available(u64),
}

/// The spans that are not exported yet.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Span>,
    /// When the oldest of them was added.
    since: Option<Instant>,
    sending: u64,
    /// A request waits: spans are sent without gathering.
    flushing: bool,
    /// Consecutive failures, and when the next attempt is due.
    failures: u32,
    not_before: Option<Instant>,
    /// The last wait timed out, and no export has succeeded since.
    last_wait_failed: bool,
    /// When a request last waited.
    waited: Option<Instant>,
    counts: SpanCounts,
    lost: u64,
    reported: (Option<Instant>, SpanCounts),
}

impl Backlog {
    /// Adds a span if there is room. True if the exporting task has to be woken.
    pub(super) fn add(&mut self, span: Span, now: Instant) -> bool {
        if self.waiting.len() >= MAX_WAITING {
            self.dropped(1);
            return false;
        }
        self.since.get_or_insert(now);
        self.waiting.push_back(span);
        self.waiting.len() == 1 || self.waiting.len() == MAX_BATCH
    }

    /// What to do now.
    pub(super) fn next(&mut self, now: Instant) -> NextStep {
        let Some(since) = self.since else {
            self.flushing = false;
            return NextStep::Idle;
        };
        if let Some(then) = self.not_before.filter(|then| now < *then) {
            return NextStep::Wait(then);
        }
        let gathered = since + GATHER_TIME;
        if !self.flushing && self.waiting.len() < MAX_BATCH && now < gathered {
            return NextStep::Wait(gathered);
        }
        let spans: Vec<Span> = self
            .waiting
            .drain(..self.waiting.len().min(MAX_BATCH))
            .collect();
        self.since = if self.waiting.is_empty() {
            None
        } else {
            Some(now)
        };
        self.sending = spans.len() as u64;
        NextStep::Send(spans)
    }

    /// Takes the result of an attempt: the number of refused spans, or `None` if it failed.
    pub(super) fn sent(
        &mut self,
        refused: Option<u64>,
        now: Instant,
        random: u64,
    ) -> Option<CollectorChange> {
        let sent = std::mem::take(&mut self.sending);
        let Some(refused) = refused else {
            self.dropped(sent);
            self.failures += 1;
            self.not_before = RETRY_PAUSE
                .delay(self.failures, random)
                .map(|pause| now + pause);
            self.flushing = false;
            return (self.failures == 1).then_some(CollectorChange::Unavailable);
        };
        let refused = refused.min(sent);
        self.dropped(refused);
        self.counts.sent += sent - refused;
        let was_unavailable = std::mem::take(&mut self.failures) > 0;
        (self.not_before, self.last_wait_failed) = (None, false);
        let lost = std::mem::take(&mut self.lost);
        was_unavailable.then_some(CollectorChange::Available(lost))
    }

    /// Whether a request may wait for its spans: some are left, the collector accepts spans, and no
    /// request has waited within `every`.
    pub(super) fn begin_wait(&mut self, now: Instant, every: Duration) -> bool {
        let recently = self
            .waited
            .is_some_and(|then| now.saturating_duration_since(then) < every);
        if self.last_wait_failed || recently || self.is_settled() {
            return false;
        }
        self.waited = Some(now);
        self.flushing = true;
        true
    }

    /// Whether there is nothing to wait for: no span is left, or the collector is unavailable.
    pub(super) fn is_settled(&self) -> bool {
        self.failures > 0 || (self.waiting.is_empty() && self.sending == 0)
    }

    /// A wait has timed out.
    pub(super) fn wait_failed(&mut self) {
        self.last_wait_failed = true;
    }

    /// The counts since the last report, if one is due.
    pub(super) fn due(&mut self, now: Instant) -> Option<SpanCounts> {
        let (last, before) = self.reported;
        let new = SpanCounts {
            sent: self.counts.sent - before.sent,
            dropped: self.counts.dropped - before.dropped,
        };
        let recently = last.is_some_and(|last| now.saturating_duration_since(last) < REPORT_EVERY);
        if new == SpanCounts::default() || recently {
            return None;
        }
        self.reported = (Some(now), self.counts);
        Some(new)
    }

    fn dropped(&mut self, spans: u64) {
        self.counts.dropped += spans;
        self.lost += spans;
    }
}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
