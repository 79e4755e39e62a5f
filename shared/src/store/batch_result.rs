//! The result of a batch, for its event source and for operators.

use super::{OffsetRange, StoredBatch, Unfinished};
use lambda_batch::{KafkaBatch, Ledger, NextStep, Outcome, Reason};

/// The result of a batch whose records were handled in order.
#[derive(Debug, Clone, Copy)]
pub struct BatchResult<'a> {
    /// Positions of the records that were parked, and why.
    pub parked: &'a [(usize, Reason)],
    /// Topics and partitions that were created again.
    pub recreated: &'a [(String, i32)],
    /// Offsets that were passed without a record.
    pub gaps: &'a [OffsetRange],
    /// The records that were not handled, if any.
    pub unfinished: Option<&'a Unfinished>,
}

impl StoredBatch<'_> {
    /// The result.
    pub fn result(&self) -> BatchResult<'_> {
        BatchResult {
            parked: &self.parked,
            recreated: &self.recreated,
            gaps: &self.gaps,
            unfinished: self.unfinished.as_ref(),
        }
    }
}

impl BatchResult<'_> {
    /// The outcome of every record. The records before the first unhandled one are durable: stored,
    /// found, or parked.
    pub fn ledger<'b>(&self, batch: &'b KafkaBatch) -> Ledger<'b> {
        let mut ledger = Ledger::new(batch);
        for at in 0..self.unfinished.map_or(batch.len(), |rest| rest.from) {
            ledger.note(at, Outcome::Done);
        }
        for (at, reason) in self.parked {
            ledger.note(*at, Outcome::Park(reason.clone()));
            ledger.parked(*at);
        }
        if let Some(rest) = self.unfinished {
            let reason = Reason::new(&rest.error);
            for at in rest.from..batch.len() {
                ledger.note(at, Outcome::Retry(reason.clone()));
            }
        }
        ledger
    }

    /// How many of `records` are delivered again because of conflicts with other transactions.
    pub fn contended(&self, records: usize) -> u64 {
        self.unfinished
            .filter(|rest| rest.error.class.is_contention())
            .map_or(0, |rest| (records - rest.from) as u64)
    }

    /// Logs what an operator should look at.
    pub fn raise_alarms(&self, batch: &KafkaBatch) {
        for (at, reason) in self.parked {
            if let Some(record) = batch.get(*at) {
                let topic = record.topic;
                let partition = record.partition;
                let offset = record.offset;
                tracing::error!(alarm = "record_parked", topic, partition, offset, %reason, "a \
                    record was parked");
            }
        }
        for (topic, partition) in self.recreated {
            tracing::error!(
                alarm = "topic_recreated",
                topic,
                partition,
                "the offsets restarted: the topic was created again"
            );
        }
        for OffsetRange {
            topic,
            partition,
            from,
            until,
            ..
        } in self.gaps
        {
            tracing::error!(
                alarm = "progress_gap",
                topic,
                partition,
                from,
                until,
                "offsets were passed that this consumer never received; compare them with Kafka, \
                 and replay them if they have records"
            );
        }
        if let Some(rest) = self.unfinished {
            let records = batch.len() - rest.from;
            let class = rest.error.class;
            // A repeated deadlock is contention as well, although a single one is retried at once.
            if class.is_contention() || class.next_step() == (NextStep::RetryLater { alarm: false })
            {
                tracing::warn!(error = %rest.error, records, contention = class.is_contention(),
                    "records not stored; the event source delivers them again");
            } else {
                tracing::error!(alarm = "store_failed", error = %rest.error, records, "records \
                    not stored; the event source delivers them again");
            }
        }
    }
}
