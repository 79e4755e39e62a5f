//! Which actions begin in a state, besides steps of processes and faults.

use shared::sale::Status;

use crate::action::Action;
use crate::database::{Money, Refund};
use crate::gate::{Number, ResvState, Seat, User};
use crate::machine::System;
use crate::protections::Protection;
use crate::real;
use crate::scenario::OrderId;
use crate::state::{Kind, State};

impl System {
    fn may_begin(&self, state: &State, kind: Kind) -> bool {
        let is_alone = matches!(kind, Kind::Sweep | Kind::Audit);
        let runs = state.tasks.iter().any(|task| task.kind == kind);
        state.tasks.len() < self.scenario.processes && !(is_alone && runs)
    }

    /// Whether a timeout entry may be claimed: that of an unpublished reservation at any time, that
    /// of a published one when payment is due.
    fn is_due(&self, state: &State, number: Number) -> bool {
        let Some(nonce) = state.redis.gate.entries.get(&number) else {
            return false;
        };
        let owner = (number, *nonce);
        let Some(order) = self.scenario.find(owner, &state.redis.gate) else {
            return false;
        };
        if let Some(row) = state.row(number) {
            return row.late || row.status != Status::Unpaid || row.order != order;
        }
        let resv = state.redis.gate.reservation(owner);
        let is_published = resv.is_some_and(|resv| matches!(resv.state, ResvState::Accepted(_)));
        !is_published || state.late & 1 << order != 0
    }

    /// Whether an audit of the seat would change something, if it read all at once.
    fn is_different(&self, state: &State, seat: Seat) -> bool {
        let gate = &state.redis.gate;
        let Some(owner) = gate.owners.get(&seat) else {
            return state.db.holders.iter().any(|(of, _)| *of == seat);
        };
        match state.row(owner.0) {
            Some(row) => {
                let spec = self.scenario.spec(row.order);
                let seen = gate.tickets.get(&(spec.user, spec.number)).copied();
                self.scenario.owner(row.order) != *owner
                    || !row.status.is_live()
                    || !self.is_counted(state, spec.user, spec.number, seen)
            }
            None => !gate.entries.contains_key(&owner.0),
        }
    }

    pub(crate) fn requests(&self, state: &State, actions: &mut Vec<Action>) {
        let scenario = &self.scenario;
        for order in scenario.ids() {
            let is_next = !scenario.symmetric || state.begun.0 + 1 == 1 << order;
            if state.begun.0 & 1 << order == 0
                && is_next
                && state.is_open()
                && self.may_begin(state, Kind::Request)
            {
                actions.push(Action::Request(order));
            }
        }
        for (n, order) in scenario.cancels.iter().enumerate() {
            if state.begun.1 & 1 << n == 0
                && state.begun.0 & 1 << order != 0
                && self.may_begin(state, Kind::Cancel)
            {
                actions.push(Action::Cancel(n as OrderId));
            }
        }
        for n in 0..scenario.payments.len() as u8 {
            if state.begun.2 & 1 << n == 0
                && state.begun.0 != 0
                && self.may_begin(state, Kind::Payment)
            {
                actions.push(Action::Pay(n));
            }
        }
        for (n, number) in scenario.refunds.iter().enumerate() {
            let is_paid = state
                .row(*number)
                .is_some_and(|row| row.status == Status::Paid);
            if state.begun.3 & 1 << n == 0 && is_paid {
                actions.push(Action::Refund(n as u8));
            }
        }
    }

    fn refunds(&self, state: &State, actions: &mut Vec<Action>) {
        let refunds = state.db.refunds.iter().zip(&state.db.payments);
        if refunds
            .clone()
            .any(|found| found == (&Refund::None, &Money::ToRefund))
        {
            actions.push(Action::RequestRefunds);
        }
        if !self.may_begin(state, Kind::Refunder) {
            return;
        }
        for (n, (refund, _)) in refunds.enumerate() {
            match refund {
                Refund::HandedOut(token) if state.tasks.iter().any(|task| task.id == *token) => {
                    actions.push(Action::HandOutAgain(n as u8));
                }
                Refund::Requested | Refund::HandedOut(_) => actions.push(Action::HandOut(n as u8)),
                Refund::None | Refund::Done => {}
            }
        }
    }

    pub(crate) fn creation(&self, state: &State, actions: &mut Vec<Action>) {
        let mut landed = None;
        for order in &state.in_flight {
            if landed != Some(*order) {
                actions.extend([Action::Land(*order), Action::Drop(*order)]);
                landed = Some(*order);
            }
        }
        if self.may_begin(state, Kind::Creator) {
            for (n, (_, handled)) in state.log.iter().enumerate() {
                match (handled, state.left[3]) {
                    (false, _) => actions.push(Action::Deliver(n as u8)),
                    (true, 0) => {}
                    (true, _) => actions.push(Action::Redeliver(n as u8)),
                }
            }
        }
        let orders = self.scenario.ids().filter(|_| self.scenario.time_passes);
        for order in orders {
            let row = state.row(self.scenario.spec(order).number);
            let may_be_late = match row {
                Some(row) => row.order == order && row.status == Status::Unpaid && !row.late,
                None => state.late & 1 << order == 0 && state.is_in_progress(&self.scenario, order),
            };
            if may_be_late {
                actions.push(Action::Late(order));
            }
        }
    }

    pub(crate) fn ticks(&self, state: &State, actions: &mut Vec<Action>) {
        let scenario = &self.scenario;
        if scenario.time_passes && self.may_begin(state, Kind::Closer) {
            let entries = state.redis.gate.entries.keys();
            let due = entries.filter(|number| self.is_due(state, **number));
            actions.extend(due.map(|number| Action::Claim(*number)));
        }
        if !state.is_open() && self.may_begin(state, Kind::Loader) {
            actions.push(Action::Fill);
        }
        if scenario.kept.has(Protection::Sweep) {
            for (number, row) in &state.db.rows {
                if row.status == Status::Unpaid && row.late {
                    actions.push(Action::Overdue(*number));
                }
                if state.db.is_waited_for(scenario, *number) {
                    actions.push(Action::Match(*number));
                }
                if row.dirty && self.may_begin(state, Kind::Sweep) {
                    actions.push(Action::Dirty(*number));
                }
            }
            actions.extend(state.db.batches.iter().map(|batch| Action::Adopt(*batch)));
            if !scenario.refunds.is_empty() {
                self.refunds(state, actions);
            }
        }
        if scenario.audits
            && scenario.kept.has(Protection::Audit)
            && self.may_begin(state, Kind::Audit)
        {
            self.audits(state, actions);
        }
    }

    fn audits(&self, state: &State, actions: &mut Vec<Action>) {
        for ((user, number), count) in &state.redis.gate.tickets {
            actions.push(if self.is_counted(state, *user, *number, Some(*count)) {
                Action::AuditTicketsAgain(*user, *number)
            } else {
                Action::AuditTickets(*user, *number)
            });
        }
        if !state.is_open() {
            return;
        }
        let owned = state.redis.gate.owners.keys().copied();
        let mut seats: Vec<Seat> = owned.collect();
        seats.extend(state.db.holders.iter().map(|(seat, _)| *seat));
        seats.sort_unstable();
        seats.dedup();
        actions.extend(seats.into_iter().map(|seat| {
            if self.is_different(state, seat) {
                Action::Audit(seat)
            } else {
                Action::AuditAgain(seat)
            }
        }));
    }

    /// Whether an audit of what an order counts towards its buyer's limit would change nothing, if
    /// it read all at once.
    fn is_counted(&self, state: &State, user: User, number: Number, seen: Option<u32>) -> bool {
        let row = state.row(number);
        let Some(wrong) = real::wrong_count(&self.scenario, user, number, seen, row) else {
            return true;
        };
        let mut gate = state.redis.gate.clone();
        gate.repair_tickets(user, number, seen, wrong.stored);
        gate.tickets == state.redis.gate.tickets
    }
}
