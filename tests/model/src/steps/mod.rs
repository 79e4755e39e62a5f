//! The effects of the processes, one function for each step. What a process does next is decided by
//! the rules of `shared`.

mod closer;
mod create;
mod loader;
mod refunder;
mod storefront;
mod sweep;

use shared::gate::{Settle, SettleTo};
use shared::reconcile::settle_of;

use crate::action::Outcome;
use crate::database::Batch;
use crate::gate::{Seat, Settled};
use crate::real;
use crate::scenario::{OrderId, Scenario};
use crate::state::{Header, State, Step};

/// A process at its next step.
struct Process<'a> {
    scenario: &'a Scenario,
    state: &'a mut State,
    at: usize,
}

/// Runs the next step of a process.
pub(crate) fn run(scenario: &Scenario, state: &mut State, at: usize, outcome: Outcome) {
    let Some(step) = state.tasks[at].steps.pop() else {
        return;
    };
    let mut process = Process {
        scenario,
        state,
        at,
    };
    process.step(step, outcome);
}

impl Process<'_> {
    fn step(&mut self, step: Step, outcome: Outcome) {
        match step {
            Step::Reserve(order) => self.reserve(order),
            Step::Publish(order) => self.publish(order, outcome),
            Step::Accept(order, record) => self.accept(order, record),
            Step::Abandon(order) => self.abandon(order),
            Step::Fence(order) => self.fence(order),
            Step::Release(order) => self.release(order),
            Step::ReadRow(order) => self.read_row(order),
            Step::Cancel(order) => self.cancel(order),
            Step::CancelLook(order) => self.cancel_look(order),
            Step::CancelFence(order) => self.cancel_fence(order),
            Step::Pay(payment) => self.pay(payment),
            Step::Record(payment) => self.record(payment),
            Step::Match(number) => self.match_payments(number),
            Step::Return(payment, token) => self.return_money(payment, token),
            Step::RefundDone(payment, token) => self.refund_done(payment, token),
            Step::Store(record) => self.store(record),
            Step::Confirm(order, row, insert) => self.confirm(order, row, insert),
            Step::SettleStored(order, row, insert) => self.settle_stored(order, row, insert),
            Step::EndBatch(row) => self.end_batch(row),
            Step::ReadNewer(row) => self.read_newer(row),
            Step::ClearBatch(number) => self.clear_batch(number),
            Step::CloseDue(order, token, handled) => self.close_due(order, token, handled),
            Step::CloseLook(order, token, handled) => self.close_look(order, token, handled),
            Step::ReadProgress(order, token) => self.read_progress(order, token),
            Step::CloseAbandon(order, token, handled) => self.close_abandon(order, token, handled),
            Step::CloseFence(order, token) => self.close_fence(order, token),
            Step::CloseRelease(order, token) => self.close_release(order, token),
            Step::CloseMatch(order, token) => self.close_match(order, token),
            Step::Ack(number, token) => self.ack(number, token),
            Step::Retry(number, token) => self.retry(number, token),
            Step::Settle(row, ends) => self.settle(row, ends),
            Step::Mark(row, ends) => self.mark(row, ends),
            Step::ReadOther(number) => self.read_other(number),
            Step::AuditRows(seat, owner) => self.audit_rows(seat, owner),
            Step::AuditEntry(order) => self.audit_entry(order),
            Step::AuditRow(order) => self.audit_row(order),
            Step::Rearm(order) => self.rearm(order),
            Step::FreeEnded(order, seat) => self.free_ended(order, seat),
            Step::AuditSettle(row) => self.audit_settle(row),
            Step::AuditTickets(row) => self.audit_tickets(row),
            Step::TicketRow(user, number, seen) => self.ticket_row(user, number, seen),
            Step::RepairTickets(user, number, seen, row) => {
                self.repair_tickets(user, number, seen, row);
            }
            Step::Begin(id, grant) => self.begin(id, grant),
            Step::Claim(id) => self.claim(id),
            Step::Barrier(id, grant) => self.barrier(id, grant),
            Step::Passed(id, barrier) => self.passed(id, barrier),
            Step::Survivors(id) => self.survivors(id),
            Step::Survivor(order, seats) => self.survivor(order, seats),
            Step::SettleSurvivor(order, seats, row) => self.settle_survivor(order, seats, row),
            Step::Seats(id) => self.seats(id),
            Step::Merge(id, rows) => self.merge(id, &rows),
            Step::Open(id) => self.open(id),
        }
    }

    /// The steps that follow, in this order.
    fn then<const N: usize>(&mut self, steps: [Step; N]) {
        self.state.tasks[self.at]
            .steps
            .extend(steps.into_iter().rev());
    }

    /// settle.lua by a call of `shared`. `None`: nothing is installed.
    fn apply(&mut self, settle: &Settle) -> Option<Settled> {
        if self.state.redis.header == Header::Absent {
            return None;
        }
        let (owner, known, to) = real::settle(settle);
        let redis = &mut self.state.redis;
        let settled = match to {
            SettleTo::Live { due_in_ms } => {
                let settled = redis.gate.settle_live(owner, &known, due_in_ms.is_some());
                if matches!(settled, Settled::Done(..)) {
                    // Written again, without its lease.
                    redis.leases.remove(&owner.0);
                }
                settled
            }
            SettleTo::Gone { forget_key } => {
                let kept = self.scenario.kept;
                redis.gate.settle_gone(owner, &known, forget_key, kept)
            }
        };
        if !redis.gate.entries.contains_key(&owner.0) {
            redis.leases.remove(&owner.0);
        }
        Some(settled)
    }

    /// settle.lua for a reservation that can have no row. Whether it is settled.
    fn apply_gone(&mut self, order: OrderId) -> bool {
        let gone = Settle::gone(real::at(self.scenario.owner(order)));
        self.apply(&gone).is_some()
    }

    /// The first half of reconcile.
    fn settle(&mut self, row: crate::database::Row, ends: Option<Batch>) {
        let Some(settle) = settle_of(&real::row(self.scenario, row)) else {
            return self.then([Step::Mark(row, ends)]);
        };
        match self.apply(&settle) {
            Some(Settled::Done(displaced, _)) => {
                for (number, _) in displaced {
                    self.then([Step::ReadOther(number)]);
                }
                self.then([Step::Mark(row, ends)]);
            }
            Some(Settled::Tombstoned) => self.then([Step::Mark(row, ends)]),
            // The row stays dirty, or listed.
            Some(Settled::SeatsUnknown) | None => {}
        }
    }

    /// The second half of reconcile.
    fn mark(&mut self, row: crate::database::Row, ends: Option<Batch>) {
        if let Some(newer) = self.state.db.settled(self.scenario, row, ends) {
            self.then([Step::Settle(newer, ends)]);
        }
    }

    fn read_other(&mut self, number: crate::gate::Number) {
        if let Some(row) = self.state.row(number) {
            self.then([Step::Settle(row, None)]);
        }
    }

    /// Whether all of these seats are free.
    fn are_free(gate: &crate::gate::Gate, seats: &[Seat]) -> bool {
        seats.iter().all(|seat| !gate.owners.contains_key(seat))
    }
}
