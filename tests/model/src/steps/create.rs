//! order-create: one record.

use shared::steps::{confirmable, settle_of_stored};
use shared::store::Decision;

use super::Process;
use crate::database::{Batch, Insert, Row};
use crate::gate::{Number, Settled};
use crate::real;
use crate::scenario::OrderId;
use crate::state::{Header, Step};

impl Process<'_> {
    /// One transaction: the order, or its rejection, and the progress over the record.
    pub(super) fn store(&mut self, record: u8) {
        let (order, handled) = &mut self.state.log[usize::from(record)];
        *handled = true;
        let order = *order;
        let late = self.state.late & 1 << order != 0;
        let (insert, row) = self.state.db.store(self.scenario, order, late);
        self.state.late &= !(1 << order);
        self.then([Step::Confirm(order, row, insert)]);
    }

    pub(super) fn confirm(&mut self, order: OrderId, row: Row, insert: Insert) {
        let owner = self.scenario.owner(order);
        let request = real::request(self.scenario, order);
        let stored = real::stored(self.scenario, &request, row, insert);
        let redis = &mut self.state.redis;
        if confirmable(&stored).is_some()
            && redis.header != Header::Absent
            && redis.gate.confirm(owner)
        {
            self.then([Step::EndBatch(row)]);
        } else {
            self.then([Step::SettleStored(order, row, insert)]);
        }
    }

    pub(super) fn settle_stored(&mut self, order: OrderId, row: Row, insert: Insert) {
        let request = real::request(self.scenario, order);
        let stored = real::stored(self.scenario, &request, row, insert);
        let settle = settle_of_stored(&stored);
        let others = match &stored.decision {
            Decision::Rejected { holders } => holders.clone(),
            _ => Vec::new(),
        };
        let others = others.iter().map(|h| real::owner(h.number, h.nonce).0);
        match settle.and_then(|settle| self.apply(&settle)) {
            Some(Settled::Done(displaced, _)) => {
                let displaced = displaced.into_iter().map(|(number, _)| number);
                for number in others.chain(displaced) {
                    self.then([Step::ReadOther(number)]);
                }
                self.then([Step::EndBatch(row)]);
            }
            Some(Settled::Tombstoned) => self.then([Step::EndBatch(row)]),
            // The gate is away: the batch stays listed.
            Some(Settled::SeatsUnknown) | None => {
                self.then([Step::Match(self.scenario.spec(order).number)]);
            }
        }
    }

    /// Ends the batch, unless its order has changed since or a payment waits for it.
    pub(super) fn end_batch(&mut self, row: Row) {
        let number = self.scenario.spec(row.order).number;
        let is_newer = self.state.db.newer(self.scenario, row).is_some();
        if is_newer || self.state.db.is_waited_for(self.scenario, number) {
            self.then([
                Step::Match(number),
                Step::ReadNewer(row),
                Step::ClearBatch(number),
            ]);
        } else {
            self.clear_batch(number);
        }
    }

    pub(super) fn read_newer(&mut self, row: Row) {
        if let Some(newer) = self.state.db.newer(self.scenario, row) {
            self.then([Step::Settle(newer, None)]);
        }
    }

    pub(super) fn clear_batch(&mut self, number: Number) {
        self.state.db.batches.remove(&Batch::Stored(number));
    }
}
