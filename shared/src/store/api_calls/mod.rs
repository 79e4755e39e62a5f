//! API calls: a batch of records becomes sums by minute and rows to look at, exactly once from Kafka on.
//!
//! ```text
//! arrivals --plan--> how far each partition reaches
//!          --transaction--> (1) lock progress (2) labels known (3) sums (4) records (5) parked (6) progress; commit
//! ```
//!
//! One row holds how far the collector has come in a partition. The transaction of a batch locks it, drops the records below it, takes the
//! rest, and moves it on: a record is added once, however often it is delivered and whoever dies when. Every row written carries the
//! partition's *source*, so that batches of different partitions never meet. An offset below the mark that was appended later than all
//! that was seen means that the topic was created anew: a new source, and an alarm, never a silent skip.

mod columns;
mod forget;
mod plan;
mod search;
mod sums;
mod transaction;

use std::collections::BTreeMap;
use std::ops::Range;

pub use forget::Forgotten;
pub use search::{CallFilter, CallPlace, CallRow};
pub use sums::{GroupBy, GroupSums, SumFilter};

use super::parts::{Parts, Unfinished};
use super::retry::ConflictRetry;
use super::{Arrival, BatchResult, OffsetRange, Store, StoreError};
use crate::api_stats::Caps;
use crate::message::ApiCall;
use lambda_batch::Reason;

/// What became of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedBatch {
    /// Calls added.
    pub added: u64,
    /// Records that had been dealt with before.
    pub repeated: u64,
    /// Positions of the records that were parked, and why; the records themselves are safe in `parked`.
    pub parked: Vec<(usize, Reason)>,
    /// Topics and partitions that were re-created: raise an alarm.
    pub recreated: Vec<(String, i32)>,
    /// Offsets that were passed without a record: raise an alarm.
    pub gaps: Vec<OffsetRange>,
    /// Set if not all records could be dealt with.
    pub unfinished: Option<Unfinished>,
}

impl CollectedBatch {
    /// What became of the records.
    pub fn result(&self) -> BatchResult<'_> {
        BatchResult {
            parked: &self.parked,
            recreated: &self.recreated,
            gaps: &self.gaps,
            unfinished: self.unfinished.as_ref(),
        }
    }

    /// Adds what one part came to.
    fn add(&mut self, part: Self) {
        self.added += part.added;
        self.repeated += part.repeated;
        self.parked.extend(part.parked);
        self.recreated.extend(part.recreated);
        self.gaps.extend(part.gaps);
    }
}

impl Store {
    /// Adds a batch of records, those of a partition ascending by offset. Offsets may have gaps (compaction, transactions).
    ///
    /// Never fails as a whole: what could not be dealt with is in [`CollectedBatch::unfinished`]. Repeating it adds nothing twice.
    pub async fn collect_calls(
        &self,
        arrivals: &[Arrival<'_, ApiCall>],
        caps: Caps,
    ) -> CollectedBatch {
        let mut collected = CollectedBatch::default();
        let mut parts = Parts::new(arrivals.len());
        while let Some(part) = parts.next() {
            match self
                .collect_part(arrivals, part.clone(), parts.refused(), caps)
                .await
            {
                Ok(committed) => collected.add(committed),
                Err(error) => parts.failed(part, error),
            }
        }
        collected.unfinished = parts.unfinished();
        collected
    }

    /// One part in one transaction, repeated while another transaction is in its way.
    async fn collect_part(
        &self,
        arrivals: &[Arrival<'_, ApiCall>],
        part: Range<usize>,
        refused: &BTreeMap<usize, Reason>,
        caps: Caps,
    ) -> Result<CollectedBatch, StoreError> {
        let plan = plan::Plan::new(arrivals, part, refused);
        let mut retry = ConflictRetry::default();
        loop {
            let result = self.collect(&plan, caps).await;
            if !retry.is_due(&result) {
                return result;
            }
        }
    }
}
