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

use std::collections::BTreeMap;
use std::ops::Range;

use super::parts::{Parts, Unfinished};
use super::retry::ConflictRetry;
use super::{Arrival, OffsetRange, OrderRow, Store, StoreError};
use crate::message::{Nonce, OrderNumber, OrderRequested};
use lambda_batch::Reason;

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
        let mut stored = StoredBatch::default();
        let mut parts = Parts::new(arrivals.len());
        while let Some(part) = parts.next() {
            match self
                .store_part(arrivals, part.clone(), parts.refused(), min_pay_ms)
                .await
            {
                Ok(committed) => committed.add_to(&mut stored),
                Err(error) => parts.failed(part, error),
            }
        }
        stored.unfinished = parts.unfinished();
        stored
    }

    /// One part in one transaction, repeated while another transaction is in its way.
    async fn store_part<'a>(
        &self,
        arrivals: &'a [Arrival<'a>],
        part: Range<usize>,
        refused: &BTreeMap<usize, Reason>,
        min_pay_ms: u64,
    ) -> Result<transaction::Committed<'a>, StoreError> {
        let plan = plan::CreatePlan::new(arrivals, part, refused);
        let mut retry = ConflictRetry::default();
        loop {
            let result = self.transact(&plan, min_pay_ms).await;
            if !retry.is_due(&result) {
                return result;
            }
        }
    }
}
