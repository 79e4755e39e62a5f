//! What a tick did: the answer of the function, its log line and its metrics.

use shared::naming::Names;
use shared::telemetry::MetricLine;

/// What one tick did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct TickReport {
    /// Timeout entries claimed.
    pub claimed: u64,
    /// What became of these entries.
    #[serde(flatten)]
    pub outcome: ClosingCounts,
    /// Gates that are being filled.
    pub fillings: RefillCounts,
    /// What the sweep did, if this tick ran one.
    pub sweep: Option<SweepReport>,
    /// Entries were still due when the time ran out.
    pub unfinished: bool,
}

/// What became of claimed timeout entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ClosingCounts {
    /// Orders closed because their time to pay was over.
    pub closed: u64,
    /// Orders fenced.
    pub fenced: u64,
    /// Entries acknowledged.
    pub acknowledged: u64,
    /// Entries postponed.
    pub put_off: u64,
    /// Entries left to their leases after a failure.
    pub failed: u64,
    /// For how long at least an entry has been postponed again and again because another process
    /// must act first, ms: the longest of all. 0 for an entry that is postponed for the first time.
    pub oldest_put_off_ms: u64,
}

impl ClosingCounts {
    /// Adds the counts of another batch.
    pub(crate) fn add(&mut self, batch: Self) {
        self.closed += batch.closed;
        self.fenced += batch.fenced;
        self.acknowledged += batch.acknowledged;
        self.put_off += batch.put_off;
        self.failed += batch.failed;
        self.oldest_put_off_ms = self.oldest_put_off_ms.max(batch.oldest_put_off_ms);
    }
}

/// What a tick did for gates that are being filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct RefillCounts {
    /// Programs whose gate was closed.
    pub found: u64,
    /// Programs opened.
    pub opened: u64,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SweepReport {
    /// Overdue orders closed without a timeout entry.
    pub closed: u64,
    /// Orders paid by a payment that had arrived before them.
    pub matched: u64,
    /// Dirty rows by which the gate was settled: orders, and programs whose seats were changed.
    pub settled: u64,
    /// Rows that stay dirty: the gate is away, or does not hold the program.
    pub unsettled: u64,
    /// Orders that got a new timeout entry.
    pub rearmed: u64,
    /// Orders whose seats differed between the gate and Postgres, and seats that only one of them
    /// had, or had blocked.
    pub mended: u64,
    /// Counters of the gate (free seats, longest runs) that contradicted its seat map.
    pub recounted: u64,
    /// Orders that counted wrongly towards their buyers' limits.
    pub tickets: u64,
    /// Accepted orders without a row that the sweep came across.
    pub accepted: u64,
    /// Age of the oldest of them, ms.
    pub oldest_accepted_ms: u64,
    /// Changes of programs published by this sweep.
    pub published: u64,
    /// Changes of programs that the stream did not take. The next sweep tries again.
    pub unpublished: u64,
    /// Rows deleted because they were older than their retention.
    pub expired: u64,
    /// Records parked in all. Each needs an operator.
    pub parked: u64,
    /// Orders that are still overdue: a payment waits for them, or the time ran out.
    pub overdue: u64,
    /// Payments that wait for an order.
    pub unmatched: u64,
    /// Payments to refund.
    pub to_refund: u64,
    /// Payments that met no order in time and are to be refunded since this sweep.
    pub given_up: u64,
    /// Refunds requested by this sweep, of payments that pay no order.
    pub refunds_requested: u64,
    /// Replicas of a gate that takes writes without them.
    pub unguarded: u64,
    /// Refunds that the provider has made.
    pub refunded: u64,
    /// Refunds that the provider has refused.
    pub refused: u64,
    /// Refunds that it has not decided. They are sent again.
    pub refunds_failed: u64,
    /// Refunds that are not ended.
    pub refunds_waiting: u64,
    /// Refused refunds in all. Each needs an operator.
    pub refunds_refused: u64,
}

impl TickReport {
    /// Writes the log line and the metrics.
    pub(crate) fn emit(&self, names: &Names) {
        tracing::info!(report = %serde_json::to_string(self).unwrap_or_default(), "tick");
        let mut line = MetricLine::new(names)
            .count("TimeoutsClaimed", self.claimed)
            .count("OrdersClosed", self.outcome.closed)
            .count("OrdersFenced", self.outcome.fenced)
            .count("TimeoutsPutOff", self.outcome.put_off)
            .count("TimeoutsFailed", self.outcome.failed)
            .count("GatesFilling", self.fillings.found)
            .count("GatesOpened", self.fillings.opened);
        // Times only of entries and orders that exist: the mean of a period is theirs.
        if self.outcome.oldest_put_off_ms > 0 {
            line = line.milliseconds("OldestPutOff", self.outcome.oldest_put_off_ms as f64);
        }
        if let Some(sweep) = &self.sweep {
            line = line
                .count("SweepClosed", sweep.closed)
                .count("SweepMatchedPayments", sweep.matched)
                .count("SweepSettled", sweep.settled)
                .count("SweepUnsettled", sweep.unsettled)
                .count("GateWritesUnguarded", sweep.unguarded)
                .count("SweepRearmed", sweep.rearmed)
                .count("SweepMended", sweep.mended)
                .count("SweepRecounted", sweep.recounted)
                .count("SweepTickets", sweep.tickets)
                .count("AcceptedWithoutRow", sweep.accepted)
                .count("SweepPublished", sweep.published)
                .count("SweepUnpublished", sweep.unpublished)
                .count("SweepExpired", sweep.expired)
                .count("ParkedRecords", sweep.parked)
                .count("OverdueOrders", sweep.overdue)
                .count("UnmatchedPayments", sweep.unmatched)
                .count("PaymentsToRefund", sweep.to_refund)
                .count("PaymentsGivenUp", sweep.given_up)
                .count("RefundsRequested", sweep.refunds_requested)
                .count("RefundsMade", sweep.refunded)
                .count("RefundsFailed", sweep.refunds_failed)
                .count("RefundsWaiting", sweep.refunds_waiting)
                .count("RefundsRefused", sweep.refunds_refused);
            if sweep.accepted > 0 {
                line = line.milliseconds("OldestAccepted", sweep.oldest_accepted_ms as f64);
            }
        }
        line.emit();
    }
}
