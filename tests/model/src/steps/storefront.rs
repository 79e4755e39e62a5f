//! storefront: requests, cancellations and payments.

use shared::sale::Status;
use shared::steps::{
    AfterAbandon, AfterAccept, AfterFence, after_abandon, after_accept, after_fence,
};

use super::Process;
use crate::action::Outcome;
use crate::database::{Money, Row};
use crate::gate::{Hold, Number, Reply, ResvState};
use crate::protections::Protection;
use crate::real;
use crate::scenario::OrderId;
use crate::state::{Header, Step};

impl Process<'_> {
    pub(super) fn reserve(&mut self, order: OrderId) {
        if !self.state.is_open() {
            return;
        }
        let spec = self.scenario.spec(order);
        let hold = Hold {
            order: self.scenario.owner(order),
            user: spec.user,
            category: 0,
            count: spec.seats.len() as u32,
            limit: u32::MAX,
            key: spec.key.map(|key| (key, 0)),
        };
        let redis = &mut self.state.redis;
        let reply = redis.gate.reserve(&hold, |gate| {
            if Self::are_free(gate, &spec.seats) {
                Ok(spec.seats.clone())
            } else {
                Err(())
            }
        });
        let (order, resv) = match reply {
            Reply::Held(resv) => (order, resv),
            Reply::Again(number, resv) => {
                let found = self.scenario.find((number, resv.nonce), &redis.gate);
                let Some(order) = found else { return };
                (order, resv)
            }
            Reply::Ended(owner) => {
                let found = self.scenario.find(owner, &redis.gate);
                let Some(order) = found else { return };
                return self.then([Step::ReadRow(order)]);
            }
            Reply::KeyReused | Reply::InUse | Reply::Limit(_) | Reply::Refused(()) => return,
        };
        match resv.state {
            ResvState::Held => {
                redis.leases.remove(&self.scenario.spec(order).number);
                self.then([Step::Publish(order)]);
            }
            ResvState::Abandoning => self.then([Step::Fence(order)]),
            ResvState::Accepted(_) => self.answer_accepted(order),
            ResvState::Stored => self.then([Step::ReadRow(order)]),
        }
    }

    pub(super) fn publish(&mut self, order: OrderId, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                let record = self.state.log.len() as u8;
                self.state.log.push((order, false));
                return self.then([Step::Accept(order, record)]);
            }
            Outcome::Refused => {}
            Outcome::Unknown => self.state.in_flight.push(order),
        }
        self.then([Step::Abandon(order)]);
    }

    pub(super) fn accept(&mut self, order: OrderId, record: u8) {
        let owner = self.scenario.owner(order);
        let redis = &mut self.state.redis;
        let changed = if redis.header == Header::Absent {
            crate::gate::Changed::Missing
        } else {
            redis.gate.accept(owner, record)
        };
        if changed == crate::gate::Changed::Yes {
            redis.leases.remove(&owner.0);
        }
        match after_accept(real::accepted(changed)) {
            AfterAccept::Answer => self.answer_accepted(order),
            AfterAccept::ReadRow => self.then([Step::ReadRow(order)]),
            AfterAccept::Fence => self.then([Step::Fence(order)]),
        }
    }

    pub(super) fn abandon(&mut self, order: OrderId) {
        let owner = self.scenario.owner(order);
        let is_open = self.state.is_open();
        let gate = &mut self.state.redis.gate;
        let found = is_open.then(|| gate.abandon(owner));
        match after_abandon(real::abandoned(found)) {
            AfterAbandon::Fence => self.then([Step::Fence(order)]),
            AfterAbandon::Answer => self.answer_accepted(order),
            // The timeout entry completes the order.
            AfterAbandon::Unknown => {}
        }
    }

    pub(super) fn fence(&mut self, order: OrderId) {
        if !self.scenario.kept.has(Protection::Fence) {
            return self.then([Step::Release(order)]);
        }
        let row = self.state.db.fence(self.scenario, order, false);
        let nonces = [row.order, order].map(|order| real::nonce(self.scenario.owner(order)));
        match after_fence(nonces[0], nonces[1]) {
            AfterFence::SettleRow => {
                self.answer_by_row(order, row);
                self.then([Step::Settle(row, None)]);
            }
            AfterFence::Release => self.then([Step::Release(order)]),
        }
    }

    pub(super) fn release(&mut self, order: OrderId) {
        self.apply_gone(order);
        self.answers(order).failed = true;
    }

    pub(super) fn read_row(&mut self, order: OrderId) {
        let row = self.state.row(self.scenario.spec(order).number);
        let is_its = |row: &Row| self.scenario.owner(row.order) == self.scenario.owner(order);
        if let Some(row) = row.filter(is_its) {
            self.answer_by_row(order, row);
            if row.status == Status::Void {
                self.then([Step::Settle(row, None)]);
            }
        }
    }

    pub(super) fn cancel(&mut self, order: OrderId) {
        if let Some(row) = self.state.db.cancel(self.scenario, order) {
            return self.then([Step::Settle(row, None)]);
        }
        match self.state.row(self.scenario.spec(order).number) {
            None => self.then([Step::CancelLook(order)]),
            Some(row) if matches!(row.status, Status::Cancelled | Status::Void) => {
                self.then([Step::Settle(row, None)]);
            }
            Some(_) => {}
        }
    }

    pub(super) fn cancel_look(&mut self, order: OrderId) {
        let resv = self
            .state
            .redis
            .gate
            .reservation(self.scenario.owner(order));
        match resv.map(|resv| resv.state) {
            // Its message says what to fence.
            Some(ResvState::Held | ResvState::Accepted(_) | ResvState::Abandoning) => {
                self.then([Step::CancelFence(order)]);
            }
            // Stored between the two reads: its row is cancelled, if it is there.
            Some(ResvState::Stored) | None => {
                let row = self.state.row(self.scenario.spec(order).number);
                if row.is_some() {
                    self.then([Step::Cancel(order)]);
                }
            }
        }
    }

    pub(super) fn cancel_fence(&mut self, order: OrderId) {
        let number = self.scenario.spec(order).number;
        if self.state.row(number).is_some() {
            return self.then([Step::Cancel(order)]);
        }
        let row = self.state.db.fence(self.scenario, order, false);
        self.then([Step::Match(number), Step::Settle(row, None)]);
    }

    pub(super) fn pay(&mut self, payment: u8) {
        match self.state.db.pay(self.scenario, payment.into()) {
            Some(row) => self.then([Step::Settle(row, None)]),
            None => self.then([Step::Record(payment)]),
        }
    }

    pub(super) fn record(&mut self, payment: u8) {
        self.state.db.record(payment.into());
        if self.state.db.payments[usize::from(payment)] == Money::Unmatched {
            let number = self.scenario.payments[usize::from(payment)];
            self.then([Step::Match(number)]);
        }
    }

    pub(super) fn match_payments(&mut self, number: Number) {
        if let Some(row) = self.state.db.match_payments(self.scenario, number) {
            self.then([Step::Settle(row, None)]);
        }
    }

    fn answers(&mut self, order: OrderId) -> &mut crate::state::Answers {
        &mut self.state.answers[usize::from(order)]
    }

    fn answer_accepted(&mut self, order: OrderId) {
        self.answers(order).accepted = true;
    }

    fn answer_by_row(&mut self, order: OrderId, row: Row) {
        self.answers(order).failed |= row.status == Status::Void;
        self.answers(order).wrong |= row.order != order;
    }
}
