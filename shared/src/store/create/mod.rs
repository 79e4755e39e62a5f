//! A batch of requested orders becomes rows, once.
//!
//! ```text
//! arrivals --plan--> one order a number, repeats, what cannot be read
//!          --transaction--> (1) orders (2) seats (3) rejections (4) duplicates, parked records, (5) progress; commit
//! ```
//!
//! A batch that fails because of its data is cut in two, left to right, until the one record is found and parked; one that takes too long is
//! halved; one that was in another's way is repeated. Everything left of what failed is committed, with the progress over it.

mod columns;
mod plan;
mod transaction;

use super::{Arrival, BatchResult, OffsetRange, OrderRow, Store, StoreError, Unfinished};
use crate::message::{Nonce, OrderNumber, OrderRequested};
use lambda_batch::{BatchPart, BatchTransaction, Reason, commit_prefix};

/// What became of the records.
#[derive(Debug, Clone, Default)]
pub struct StoredBatch<'a> {
    /// Every order that was committed or found, once each: all of them are to be settled.
    pub orders: Vec<StoredOrder<'a>>,
    /// Name the orders in this to the sweep until [`Store::clear_batch`].
    pub unsettled: Vec<UnsettledBatch>,
    /// Positions of the records that were parked, and why; the records themselves are safe in `parked`.
    pub parked: Vec<(usize, Reason)>,
    /// Topics and partitions that were re-created: raise an alarm.
    pub recreated: Vec<(String, i32)>,
    /// Offsets that were passed without a record: raise an alarm.
    pub gaps: Vec<OffsetRange>,
    /// Set if not all records could be dealt with.
    pub unfinished: Option<Unfinished>,
}

/// The name of orders that were committed together and that the gate does not know of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnsettledBatch(pub(super) i64);

/// An order and its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder<'a> {
    /// What was asked for.
    pub request: &'a OrderRequested,
    /// What was decided.
    pub decision: Decision,
    /// The row under its number. Another order's if the decision is `Conflict`: then the request's own reservation is to go.
    pub row: OrderRow,
}

/// What was decided about a requested order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Stored now.
    Created,
    /// Stored before, with the same content (delivered again).
    AlreadyThere,
    /// Fenced: never to be.
    Void,
    /// Stored now, as rejected.
    Rejected {
        /// The orders that have its seats, or the order it is a duplicate of: to be reconciled too. Empty if they have just let go.
        holders: Vec<Holder>,
    },
    /// The number is another order's; the record is parked.
    Conflict,
}

/// An order that was in the way of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Its number.
    pub number: OrderNumber,
    /// Its nonce.
    pub nonce: Nonce,
}

impl Store {
    /// Stores a batch of records, those of a partition ascending by offset. Offsets may have gaps (compaction, transactions).
    ///
    /// Never fails as a whole: what could not be dealt with is in [`StoredBatch::unfinished`]. `min_pay_ms`: the least time to pay that an
    /// order is given from now, however late it is stored. Repeating it stores nothing twice.
    pub async fn store_orders<'a>(
        &self,
        arrivals: &'a [Arrival<'a>],
        min_pay_ms: u64,
    ) -> StoredBatch<'a> {
        let transaction = OrderTransaction {
            store: self,
            arrivals,
            min_pay_ms,
        };
        let prefix = commit_prefix(arrivals.len(), &transaction).await;
        let mut stored = StoredBatch {
            unfinished: prefix.unfinished,
            ..StoredBatch::default()
        };
        for part in prefix.committed {
            stored.add(part);
        }
        stored
    }
}

/// Stores a part of a batch.
struct OrderTransaction<'s, 'a> {
    store: &'s Store,
    arrivals: &'a [Arrival<'a>],
    min_pay_ms: u64,
}

impl<'a> BatchTransaction for OrderTransaction<'_, 'a> {
    type Committed = StoredBatch<'a>;
    type Error = StoreError;

    async fn commit(&self, part: &BatchPart<'_>) -> Result<StoredBatch<'a>, StoreError> {
        let plan = plan::CreatePlan::new(self.arrivals, part);
        self.store.transact(&plan, self.min_pay_ms).await
    }
}

impl StoredBatch<'_> {
    /// What became of the records.
    pub fn result(&self) -> BatchResult<'_> {
        BatchResult {
            parked: &self.parked,
            recreated: &self.recreated,
            gaps: &self.gaps,
            unfinished: self.unfinished.as_ref(),
        }
    }

    /// Adds what one transaction has committed.
    fn add(&mut self, part: Self) {
        self.orders.extend(part.orders);
        self.unsettled.extend(part.unsettled);
        self.parked.extend(part.parked);
        self.recreated.extend(part.recreated);
        self.gaps.extend(part.gaps);
    }
}
