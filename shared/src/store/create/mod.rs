//! Stores a batch of requested orders, each once.
//!
//! ```text
//! arrivals --plan--> first request of each number, repeated requests, unreadable records
//!          --usual--> one statement, if all are new orders behind the progress; else
//!          --transaction--> (1) progress locked (2) orders (3) seats (4) rejections (5) duplicates,
//!                           parked records (6) progress advanced; commit
//! ```
//!
//! A batch that fails because of its data is bisected until the failing record is found and parked.
//! One that takes too long is halved; one that conflicts with another transaction is repeated. The
//! records before the first failure are committed, with the progress over them.

mod advance;
mod columns;
mod decisions;
mod end;
mod plan;
mod transaction;
mod usual;

use std::borrow::Cow;

use self::decisions::new_row;
use super::{Arrival, BatchResult, OffsetRange, OrderRow, Store, StoreError, Unfinished};
use crate::message::{Nonce, OrderNumber, OrderRequested};
use lambda_batch::{BatchPart, BatchTransaction, Reason, commit_prefix};

/// The result of a batch.
#[derive(Debug, Clone, Default)]
pub struct StoredBatch<'a> {
    /// Every order that was stored or found, once. The caller settles the gate by all of them.
    pub orders: Vec<StoredOrder<'a>>,
    /// Lists the orders for the sweep until [`Store::end_batches`] or [`Store::clear_batch`].
    pub unsettled: Vec<UnsettledBatch>,
    /// Positions of parked records, and the reasons. The records are stored in `parked`.
    pub parked: Vec<(usize, Reason)>,
    /// Topics and partitions that were created again.
    pub recreated: Vec<(String, i32)>,
    /// Offsets that were passed without a record.
    pub gaps: Vec<OffsetRange>,
    /// Set if not all records were handled.
    pub unfinished: Option<Unfinished>,
}

/// Identity of orders that were committed together and by which the gate is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnsettledBatch(pub(super) i64);

/// An order and its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder<'a> {
    /// The request.
    pub request: &'a OrderRequested,
    /// The decision.
    pub decision: Decision,
    /// The row of its number. If the decision is `Conflict` it belongs to another order, and the
    /// request's reservation is released.
    pub row: StoredRow,
}

/// The row of an order that was stored or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRow {
    /// Unpaid, and but for the time to pay what the request says: the row of a created order.
    Requested {
        /// When it was stored, ms since 1970 by the clock of Postgres.
        now_ms: i64,
        /// End of the time to pay, ms since 1970: as promised, or later.
        pay_by_ms: i64,
    },
    /// Any other.
    Other(Box<OrderRow>),
}

impl StoredOrder<'_> {
    /// The row of its number.
    pub fn row(&self) -> Cow<'_, OrderRow> {
        match &self.row {
            StoredRow::Requested { now_ms, pay_by_ms } => {
                Cow::Owned(new_row(self.request, *now_ms, *pay_by_ms))
            }
            StoredRow::Other(row) => Cow::Borrowed(row),
        }
    }

    /// The version of the row. [`Store::end_batches`] compares it.
    pub fn version(&self) -> i64 {
        match &self.row {
            StoredRow::Requested { .. } => FIRST_VERSION,
            StoredRow::Other(row) => row.version,
        }
    }
}

/// The version of a row that was inserted.
const FIRST_VERSION: i64 = 1;

/// The decision on a requested order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Stored by this batch.
    Created,
    /// Stored before with the same content: a redelivery.
    AlreadyThere,
    /// Fenced: never stored.
    Void,
    /// Stored by this batch as rejected.
    Rejected {
        /// The orders that hold its seats, or the order it duplicates: the caller reconciles these
        /// too. Empty if they have just freed the seats.
        holders: Vec<Holder>,
    },
    /// The number belongs to another order. The record is parked.
    Conflict,
}

/// An order that holds the seats, or the key, of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// Number of the order.
    pub number: OrderNumber,
    /// Nonce of the order.
    pub nonce: Nonce,
}

impl Store {
    /// Stores a batch of records, ascending by offset within each partition. Offsets may have gaps
    /// (compaction, transactions).
    ///
    /// Never fails as a whole: unhandled records are in [`StoredBatch::unfinished`]. `min_pay_ms`
    /// is the minimum time to pay from now, however late an order is stored. Repeating a batch
    /// stores nothing twice.
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
    /// The result of a batch.
    pub fn result(&self) -> BatchResult<'_> {
        BatchResult {
            parked: &self.parked,
            recreated: &self.recreated,
            gaps: &self.gaps,
            unfinished: self.unfinished.as_ref(),
        }
    }

    /// Adds the result of one transaction.
    fn add(&mut self, part: Self) {
        self.orders.extend(part.orders);
        self.unsettled.extend(part.unsettled);
        self.parked.extend(part.parked);
        self.recreated.extend(part.recreated);
        self.gaps.extend(part.gaps);
    }
}
