//! timeout-closer: one claimed entry.

use shared::gate::Abandoned;
use shared::steps::{CloseAction, Evidence, after_claim};
use shared::store::CloseDecision;

use super::Process;
use crate::database::Batch;
use crate::gate::Number;
use crate::protections::Protection;
use crate::real;
use crate::scenario::OrderId;
use crate::state::Step;

impl Process<'_> {
    /// Without a row, how far order-create has come is read, and the row looked for once more.
    pub(super) fn close_due(&mut self, order: OrderId, token: u8, handled: Option<u8>) {
        self.state.db.close_due(self.scenario, order);
        self.then([Step::CloseLook(order, token, handled)]);
        let is_stored = self.state.row(self.scenario.spec(order).number).is_some();
        if handled.is_none() && !is_stored {
            // Nothing is changed until then: the first look and this read are one step, as if the
            // process had begun later.
            self.state.tasks[self.at].steps.pop();
            self.read_progress(order, token);
        }
    }

    /// By the row, in a statement of its own.
    pub(super) fn close_look(&mut self, order: OrderId, token: u8, handled: Option<u8>) {
        let number = self.scenario.spec(order).number;
        let row = self
            .state
            .row(number)
            .map(|row| real::row(self.scenario, row));
        let waits = self.state.db.is_waited_for(self.scenario, number);
        let nonce = real::nonce(self.scenario.owner(order));
        match (CloseDecision::of(row.as_ref(), nonce, waits), handled) {
            (CloseDecision::NoRow, None) => self.then([Step::ReadProgress(order, token)]),
            (decision, handled) => {
                self.decide(order, token, decision, None, handled.unwrap_or_default());
            }
        }
    }

    pub(super) fn read_progress(&mut self, order: OrderId, token: u8) {
        let records = self.state.log.iter().enumerate();
        let handled = records.filter(|(_, (_, handled))| *handled);
        let handled = handled.fold(0, |bits, (n, _)| bits | 1 << n);
        self.then([Step::CloseDue(order, token, Some(handled))]);
    }

    pub(super) fn close_abandon(&mut self, order: OrderId, token: u8, handled: u8) {
        let owner = self.scenario.owner(order);
        let is_open = self.state.is_open();
        let gate = &mut self.state.redis.gate;
        let found = real::abandoned(is_open.then(|| gate.abandon(owner)));
        self.decide(order, token, CloseDecision::NoRow, Some(found), handled);
    }

    fn decide(
        &mut self,
        order: OrderId,
        token: u8,
        decision: CloseDecision,
        gate: Option<Abandoned>,
        handled: u8,
    ) {
        let number = self.scenario.spec(order).number;
        let progress = real::progress(handled);
        let mut evidence = Evidence {
            gate,
            ..Evidence::default()
        };
        loop {
            match after_claim(decision, evidence, &progress) {
                CloseAction::SettleRow => {
                    let ends = (decision == CloseDecision::Closed).then_some(Batch::Closed(number));
                    self.then([Step::Ack(number, token)]);
                    if let Some(row) = self.state.row(number) {
                        self.then([Step::Settle(row, ends)]);
                    }
                }
                CloseAction::MatchPayment => self.then([Step::CloseMatch(order, token)]),
                // No record is lost in the model, so no barrier is needed to find that out.
                CloseAction::Postpone { .. } | CloseAction::AwaitBarrier { .. } => {
                    self.then([Step::Retry(number, token)]);
                }
                CloseAction::Abandon => self.then([Step::CloseAbandon(order, token, handled)]),
                CloseAction::LookForReplay { .. } => {
                    evidence.replay = Some(false);
                    continue;
                }
                CloseAction::Fence { .. } => self.then([Step::CloseFence(order, token)]),
                CloseAction::Release => self.then([Step::CloseRelease(order, token)]),
            }
            return;
        }
    }

    /// The fence has what the reservation says.
    pub(super) fn close_fence(&mut self, order: OrderId, token: u8) {
        if !self.scenario.kept.has(Protection::Fence) {
            return self.then([Step::CloseRelease(order, token)]);
        }
        let owner = self.scenario.owner(order);
        let bare = self.state.redis.gate.reservation(owner).is_none();
        let row = self.state.db.fence(self.scenario, order, bare);
        if self.scenario.owner(row.order) == owner {
            self.then([Step::Settle(row, None), Step::Ack(owner.0, token)]);
        } else {
            self.then([Step::CloseRelease(order, token)]);
        }
    }

    pub(super) fn close_release(&mut self, order: OrderId, token: u8) {
        let number = self.scenario.spec(order).number;
        if self.apply_gone(order) {
            self.then([Step::Ack(number, token)]);
        } else {
            self.then([Step::Retry(number, token)]);
        }
    }

    pub(super) fn close_match(&mut self, order: OrderId, token: u8) {
        let number = self.scenario.spec(order).number;
        match self.state.db.match_payments(self.scenario, number) {
            Some(row) => self.then([Step::Settle(row, None), Step::Ack(number, token)]),
            None => self.then([Step::Retry(number, token)]),
        }
    }

    /// ack.lua.
    pub(super) fn ack(&mut self, number: Number, token: u8) {
        if self.holds(number, token) {
            self.state.redis.gate.entries.remove(&number);
            self.state.redis.leases.remove(&number);
        }
    }

    /// retry.lua.
    pub(super) fn retry(&mut self, number: Number, token: u8) {
        if self.holds(number, token) {
            self.state.redis.leases.remove(&number);
        }
    }

    fn holds(&self, number: Number, token: u8) -> bool {
        self.state.redis.leases.get(&number) == Some(&token)
            || !self.scenario.kept.has(Protection::LeaseToken)
    }
}
