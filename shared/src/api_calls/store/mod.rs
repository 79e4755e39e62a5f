//! API calls in Postgres: batches are added exactly once, from Kafka on.
//!
//! ```text
//! arrivals --plan--> offsets of each partition
//!          --transaction--> (1) lock progress (2) known names (3) sums (4) calls
//!                           (5) parked records (6) progress (7) rows of files; files; commit
//! ```
//!
//! A row holds the progress in a partition. The transaction of a batch locks it, drops the records
//! below it, adds the rest and advances it: a record is added once, however often it is delivered
//! and whichever process dies. Each row has the *source* of its partition, so that batches of
//! different partitions write different rows. An offset below the progress that was appended
//! *later* means that the topic was created again: it gets a new source and an alarm, and no record
//! is skipped.

mod columns;
mod files;
mod manifest;
mod plan;
mod retention;
mod search;
mod sums;
mod transaction;

pub use files::{CallFiles, TimedCall};
pub use manifest::{Manifest, ManifestChange, MergeGroup, MergeRules};
pub use retention::DeletedCalls;
pub use search::{CallFilter, CallPosition, CallRow};
pub use sums::{GroupBy, GroupSums, SumFilter};

use super::{ApiCall, Caps};
use crate::store::{Arrival, BatchResult, OffsetRange, Store, StoreError, Unfinished};
use lambda_batch::{BatchPart, BatchTransaction, Reason, commit_prefix};

/// What became of the records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectedBatch {
    /// Calls added.
    pub added: u64,
    /// Records that had been dealt with before.
    pub repeated: u64,
    /// Positions of the records that were parked, and why; the records themselves are safe in
    /// `parked`.
    pub parked: Vec<(usize, Reason)>,
    /// Topics and partitions that were re-created: raise an alarm.
    pub recreated: Vec<(String, i32)>,
    /// Offsets that were passed without a record: raise an alarm.
    pub gaps: Vec<OffsetRange>,
    /// Files written.
    pub files: u64,
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
        self.files += part.files;
    }
}

impl Store {
    /// Adds a batch of records, those of a partition ascending by offset. Offsets may have gaps
    /// (compaction, transactions).
    ///
    /// Never fails as a whole: what could not be dealt with is in [`CollectedBatch::unfinished`].
    /// Repeating it adds nothing twice.
    pub async fn collect_calls(
        &self,
        arrivals: &[Arrival<'_, ApiCall>],
        caps: Caps,
    ) -> CollectedBatch {
        self.collect_calls_as_files(arrivals, caps, None).await
    }

    /// As [`Self::collect_calls`], and writes the calls as files, each call once as well: sums, rows
    /// and files are stored together or not at all. While the object store is away, records stay
    /// unfinished.
    pub async fn collect_calls_as_files(
        &self,
        arrivals: &[Arrival<'_, ApiCall>],
        caps: Caps,
        files: Option<&dyn CallFiles>,
    ) -> CollectedBatch {
        let transaction = CallTransaction {
            store: self,
            arrivals,
            caps,
            files,
        };
        let prefix = commit_prefix(arrivals.len(), &transaction).await;
        let mut collected = CollectedBatch {
            unfinished: prefix.unfinished,
            ..CollectedBatch::default()
        };
        for part in prefix.committed {
            collected.add(part);
        }
        collected
    }
}

/// Adds a part of a batch.
struct CallTransaction<'a> {
    store: &'a Store,
    arrivals: &'a [Arrival<'a, ApiCall>],
    caps: Caps,
    files: Option<&'a dyn CallFiles>,
}

impl BatchTransaction for CallTransaction<'_> {
    type Committed = CollectedBatch;
    type Error = StoreError;

    async fn commit(&self, part: &BatchPart<'_>) -> Result<CollectedBatch, StoreError> {
        let plan = plan::CollectPlan::new(self.arrivals, part);
        self.store.collect(&plan, self.caps, self.files).await
    }
}
