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
mod park;
mod plan;
mod progress;
mod transaction;

use std::collections::BTreeMap;
use std::ops::Range;

use super::repeat::Repeat;
use super::{OrderRow, Store, StoreError};
use crate::message::{Nonce, OrderNumber, OrderRequested};
use crate::worker::{Bisect, NextStep, Reason};

/// One record of a topic, read or not.
#[derive(Debug, Clone)]
pub struct Arrival<'a> {
    /// The topic's full name.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The broker's log-append time, milliseconds since 1970, if the record has one.
    pub appended_ms: Option<i64>,
    /// The key as it came.
    pub key: Option<&'a [u8]>,
    /// The value as it came: what is parked if the record cannot be stored.
    pub value: Option<&'a [u8]>,
    /// What it says, or why it cannot be read.
    pub order: Result<OrderRequested, Reason>,
}

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
    /// Set if not all records could be dealt with.
    pub unfinished: Option<Unfinished>,
}

/// The rest of a batch, not dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Why.
    pub error: StoreError,
    /// Position of the first record not dealt with; all before it are dealt with for good.
    pub from: usize,
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
    pub async fn store_orders<'a>(&self, arrivals: &'a [Arrival<'a>], min_pay_ms: u64) -> StoredBatch<'a> {
        let mut stored = StoredBatch::default();
        let mut refused = BTreeMap::new();
        let mut parts = Bisect::new(arrivals.len());
        let mut again = None;
        while let Some(part) = again.take().or_else(|| parts.next()) {
            let error = match self.store_part(arrivals, part.clone(), &refused, min_pay_ms).await {
                Ok(committed) => {
                    committed.add_to(&mut stored);
                    continue;
                }
                Err(error) => error,
            };
            let smaller = match error.class.next_step() {
                NextStep::Bisect | NextStep::Halve => parts.split(&part),
                NextStep::RetryNow | NextStep::RetryLater { .. } => false,
            };
            if smaller {
                continue;
            }
            // One record that Postgres will never take: from now on it counts as unreadable. Once; parking itself may fail as well.
            if error.class.next_step() == NextStep::Bisect && refused.insert(part.start, Reason::new(&error)).is_none() {
                again = Some(part);
                continue;
            }
            stored.unfinished = Some(Unfinished { error, from: part.start });
            break;
        }
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
        let plan = plan::Plan::new(arrivals, part, refused);
        let mut repeat = Repeat::default();
        loop {
            let result = self.transact(&plan, min_pay_ms).await;
            if !repeat.again(&result) {
                return result;
            }
        }
    }
}
