//! What is kept of spans, when it is sent, and who waits for it. Pure: the time and the randomness are given.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::telemetry::Span;
use lambda_batch::Backoff;

/// Spans that wait at most; a large batch of orders fits, and takes a few megabytes.
pub(super) const MOST: usize = 8_192;
/// Spans sent at a time.
pub(super) const BATCH: usize = 512;
/// For so long spans are gathered where nobody waits for them.
pub(super) const GATHER: Duration = Duration::from_millis(500);
/// Between two attempts while the collector is away.
const PAUSE: Backoff = Backoff {
    base: Duration::from_secs(2),
    cap: Duration::from_secs(60),
    max_attempts: None,
};
/// Counts are reported at most so often.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// How many spans came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The collector has them.
    pub(super) sent: u64,
    /// There was no room, or the collector did not take them.
    pub(super) dropped: u64,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing, until there are spans.
    Nothing,
    /// Nothing, until then, unless somebody is in a hurry.
    Wait(Instant),
    /// These are to be sent.
    Send(Vec<Span>),
}

/// What somebody should hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// The collector takes no spans, as of now.
    Away,
    /// It takes them again; so many were lost since it was last heard of.
    Back(u64),
}

/// Spans on their way.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Span>,
    /// When the first of them came.
    since: Option<Instant>,
    sending: u64,
    /// Somebody waits: nothing is gathered.
    hurried: bool,
    /// Attempts that failed in a row, and when the next is due.
    failures: u32,
    not_before: Option<Instant>,
    /// The last wait was in vain, and nothing has been taken since.
    in_vain: bool,
    /// When somebody last waited.
    waited: Option<Instant>,
    counts: Counts,
    lost: u64,
    reported: (Option<Instant>, Counts),
}

impl Backlog {
    /// Keeps a span, if there is room. Says whether whoever sends should look.
    pub(super) fn add(&mut self, span: Span, now: Instant) -> bool {
        if self.waiting.len() >= MOST {
            self.dropped(1);
            return false;
        }
        self.since.get_or_insert(now);
        self.waiting.push_back(span);
        self.waiting.len() == 1 || self.waiting.len() == BATCH
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        let Some(since) = self.since else {
            self.hurried = false;
            return Next::Nothing;
        };
        if let Some(then) = self.not_before.filter(|then| now < *then) {
            return Next::Wait(then);
        }
        let gathered = since + GATHER;
        if !self.hurried && self.waiting.len() < BATCH && now < gathered {
            return Next::Wait(gathered);
        }
        let spans: Vec<Span> = self
            .waiting
            .drain(..self.waiting.len().min(BATCH))
            .collect();
        self.since = if self.waiting.is_empty() {
            None
        } else {
            Some(now)
        };
        self.sending = spans.len() as u64;
        Next::Send(spans)
    }

    /// What was being sent has come to its end: taken, except so many of it; or not at all.
    pub(super) fn ended(
        &mut self,
        refused: Option<u64>,
        now: Instant,
        random: u64,
    ) -> Option<News> {
        let sent = std::mem::take(&mut self.sending);
        let Some(refused) = refused else {
            self.dropped(sent);
            self.failures += 1;
            self.not_before = PAUSE.delay(self.failures, random).map(|pause| now + pause);
            self.hurried = false;
            return (self.failures == 1).then_some(News::Away);
        };
        let refused = refused.min(sent);
        self.dropped(refused);
        self.counts.sent += sent - refused;
        let was_away = std::mem::take(&mut self.failures) > 0;
        (self.not_before, self.in_vain) = (None, false);
        let lost = std::mem::take(&mut self.lost);
        was_away.then_some(News::Back(lost))
    }

    /// Somebody would wait until nothing is left. Whether there is something to wait for, and hope; and at most once in `every`.
    pub(super) fn hurry(&mut self, now: Instant, every: Duration) -> bool {
        let lately = self
            .waited
            .is_some_and(|then| now.saturating_duration_since(then) < every);
        if self.in_vain || lately || self.is_over() {
            return false;
        }
        self.waited = Some(now);
        self.hurried = true;
        true
    }

    /// Whether there is nothing to wait for: nothing is left, or the collector is away.
    pub(super) fn is_over(&self) -> bool {
        self.failures > 0 || (self.waiting.is_empty() && self.sending == 0)
    }

    /// Somebody waited, and it was in vain.
    pub(super) fn waited_in_vain(&mut self) {
        self.in_vain = true;
    }

    /// What came to its end since the last report, if it is time for one.
    pub(super) fn due(&mut self, now: Instant) -> Option<Counts> {
        let (last, before) = self.reported;
        let news = Counts {
            sent: self.counts.sent - before.sent,
            dropped: self.counts.dropped - before.dropped,
        };
        let lately = last.is_some_and(|last| now.saturating_duration_since(last) < REPORT_EVERY);
        if news == Counts::default() || lately {
            return None;
        }
        self.reported = (Some(now), self.counts);
        Some(news)
    }

    fn dropped(&mut self, spans: u64) {
        self.counts.dropped += spans;
        self.lost += spans;
    }
}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
