//! The result of a batch, for its event source and for operators.

use lambda_batch::{KafkaBatch, Ledger, NextStep, Reason};

use super::{OffsetRange, StoreError};

/// The records of a batch that no transaction could commit.
pub type Unfinished = lambda_batch::Unfinished<StoreError>;

/// The result of a batch whose records are committed in order.
#[derive(Debug, Clone, Copy)]
pub struct BatchResult<'a> {
    /// Positions of the records that were parked, and why.
    pub parked: &'a [(usize, Reason)],
    /// Topics and partitions that were created again.
    pub recreated: &'a [(String, i32)],
    /// Offsets that were passed without a record.
    pub gaps: &'a [OffsetRange],
    /// The rest, if not all records are committed or parked.
    pub unfinished: Option<&'a Unfinished>,
}

impl BatchResult<'_> {
    /// The outcome of every record. All before the first unfinished one are durable.
    pub fn ledger<'b>(&self, batch: &'b KafkaBatch) -> Ledger<'b> {
        Ledger::of_prefix(batch, self.parked, self.unfinished)
    }

    /// How many of `records` records are delivered again because of other transactions.
    pub fn contended(&self, records: usize) -> u64 {
        self.unfinished
            .filter(|rest| rest.error.class.is_contention())
            .map_or(0, |rest| (records - rest.from) as u64)
    }

    /// Logs an alarm for each parked record, topic created again, gap, and error of the store.
    pub fn raise_alarms(&self, batch: &KafkaBatch) {
        for (at, reason) in self.parked {
            if let Some(record) = batch.get(*at) {
                let topic = record.topic;
                let partition = record.partition;
                let offset = record.offset;
                tracing::error!(
                    alarm = "record_parked", topic, partition, offset, %reason,
                    "a record was parked"
                );
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
            // A deadlock that repeats is contention as well, although each one alone is tried again
            // at once.
            if class.is_contention() || class.next_step() == (NextStep::RetryLater { alarm: false })
            {
                tracing::warn!(error = %rest.error, records, contention = class.is_contention(),
                    "records not stored; the event source delivers them again");
            } else {
                tracing::error!(
                    alarm = "store_failed", error = %rest.error, records,
                    "records not stored; the event source delivers them again"
                );
            }
        }
    }
}
