//! A batch of requested orders becomes rows, once, in one transaction.

use super::{OrderRow, Store, StoreError};
use crate::message::{Nonce, OrderNumber, OrderRequested};

/// Consecutive records of one partition, ascending by offset. Gaps are fine (compaction, transactions).
#[derive(Debug, Clone)]
pub struct PartitionSlice<'a> {
    /// The topic's full name.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The records.
    pub records: Vec<Arrival<'a>>,
}

/// One record, read or not.
#[derive(Debug, Clone)]
pub struct Arrival<'a> {
    /// Its offset.
    pub offset: i64,
    /// The broker's log-append time, milliseconds since 1970, if the record has one.
    pub appended_ms: Option<i64>,
    /// The key as it came.
    pub key: Option<&'a [u8]>,
    /// The value as it came: what is parked if the record cannot be stored.
    pub value: Option<&'a [u8]>,
    /// What it says, or why it cannot be read.
    pub order: Result<OrderRequested, String>,
}

/// What became of the records.
#[derive(Debug, Clone, Default)]
pub struct StoredBatch<'a> {
    /// Every order that was committed or found, once each: all of them are to be settled.
    pub orders: Vec<StoredOrder<'a>>,
    /// Names the orders in this to the sweep until [`Store::clear_batch`].
    pub unsettled: Vec<UnsettledBatch>,
    /// Why each parked record was parked; the records themselves are safe in `parked`.
    pub parked: Vec<String>,
    /// Partitions of topics that were re-created: raise an alarm.
    pub recreated: Vec<(String, i32)>,
    /// Set if not all records could be dealt with.
    pub unfinished: Option<Unfinished>,
}

/// The rest of a batch, not dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Why.
    pub error: StoreError,
    /// Position of the first record not dealt with, counting through the slices as given; all before it are dealt with for good.
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
    /// The row under its number. Of another nonce if the decision is `Conflict`: then the request's own reservation is gone.
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
    /// Stored now, as rejected; `holders` are the orders that have its seats, to be reconciled too.
    Rejected {
        /// Who has the seats. Empty for a duplicate.
        holders: Vec<Holder>,
    },
    /// The number is another order's; the record is parked.
    Conflict,
}

/// An order that holds a seat somebody else asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder {
    /// The holder's number.
    pub number: OrderNumber,
    /// Its nonce.
    pub nonce: Nonce,
}

impl Store {
    /// Stores a batch: orders.md calls it step 3.
    ///
    /// Never fails as a whole: what could not be dealt with is in [`StoredBatch::unfinished`]. `min_pay_ms`: the least time to pay that an
    /// order is given from now, however late it is stored.
    pub async fn store_orders<'a>(&self, slices: &'a [PartitionSlice<'a>], min_pay_ms: u64) -> StoredBatch<'a> {
        todo!("{slices:?} {min_pay_ms}")
    }
}
