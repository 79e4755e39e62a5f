//! timeout-closer: the audit of a seat.

use std::collections::BTreeMap;

use shared::gate::{Settle, SettleTo};
use shared::message::SeatIndex;
use shared::steps::differences;

use super::Process;
use crate::database::Row;
use crate::gate::{Number, Seat, User};
use crate::real;
use crate::scenario::OrderId;
use crate::state::Step;

impl Process<'_> {
    /// Compares the owner found before with the rows of now.
    pub(super) fn audit_rows(&mut self, seat: Seat, owner: Option<OrderId>) {
        let scenario = self.scenario;
        let taken = owner.map(|order| real::taken(seat, scenario.owner(order)));
        let holders = self.state.db.holders.iter();
        let holders = holders.filter(|(of, _)| *of == seat).map(|(_, n)| *n);
        let mut numbers: Vec<Number> = holders.collect();
        numbers.extend(owner.map(|order| scenario.spec(order).number));
        let rows: BTreeMap<Number, Row> = numbers
            .into_iter()
            .filter_map(|number| Some((number, self.state.row(number)?)))
            .collect();
        let real_rows: Vec<_> = rows.values().map(|row| real::row(scenario, *row)).collect();
        let range = real::seat(seat)..=real::seat(seat);
        let taken: Vec<_> = taken.into_iter().collect();
        let found = differences(real::program(), &range, &taken, &real_rows);
        for row in rows.values().filter(|row| row.status.is_live()) {
            self.then([Step::AuditTickets(*row)]);
        }
        for row in rows.values() {
            let number = real::at(scenario.owner(row.order)).order;
            if found.settle.contains_key(&number) {
                self.then([Step::AuditSettle(*row)]);
            }
        }
        for ((number, nonce), seats) in &found.ended {
            if let Some(order) = scenario.find(real::owner(*number, *nonce), &self.state.redis.gate)
            {
                for seat in seats {
                    self.then([Step::FreeEnded(order, seat.get())]);
                }
            }
        }
        for (number, nonce) in &found.unknown {
            if let Some(order) = scenario.find(real::owner(*number, *nonce), &self.state.redis.gate)
            {
                self.then([Step::AuditEntry(order)]);
            }
        }
    }

    pub(super) fn audit_entry(&mut self, order: OrderId) {
        let number = self.scenario.spec(order).number;
        if !self.state.redis.gate.entries.contains_key(&number) {
            self.then([Step::AuditRow(order)]);
        }
    }

    pub(super) fn audit_row(&mut self, order: OrderId) {
        let owner = self.scenario.owner(order);
        let row = self.state.row(owner.0);
        if row.is_none_or(|row| self.scenario.owner(row.order) != owner) {
            self.then([Step::Rearm(order)]);
        }
    }

    /// schedule.lua: an entry that exists stays.
    pub(super) fn rearm(&mut self, order: OrderId) {
        let (number, nonce) = self.scenario.owner(order);
        self.state.redis.gate.entries.entry(number).or_insert(nonce);
    }

    pub(super) fn free_ended(&mut self, order: OrderId, seat: Seat) {
        let gone = Settle::gone(real::at(self.scenario.owner(order)));
        let seats: Vec<SeatIndex> = vec![real::seat(seat)];
        let category = real::request(self.scenario, order).category;
        self.apply(&Settle {
            seats: Some((category, seats)),
            to: SettleTo::Gone { forget_key: false },
            ..gone
        });
    }

    /// The row is read once more: who has changed it since has settled it, or it is dirty.
    pub(super) fn audit_settle(&mut self, row: Row) {
        let found = self.state.row(self.scenario.spec(row.order).number);
        if let Some(found) = found.filter(|found| found.version == row.version) {
            self.then([Step::Settle(found, None)]);
        }
    }

    /// The counts of live rows, as read before.
    pub(super) fn audit_tickets(&mut self, row: Row) {
        let spec = self.scenario.spec(row.order);
        let counted = (spec.user, spec.number);
        let seen = self.state.redis.gate.tickets.get(&counted).copied();
        self.then([Step::RepairTickets(spec.user, spec.number, seen, Some(row))]);
    }

    pub(super) fn ticket_row(&mut self, user: User, number: Number, seen: Option<u32>) {
        let row = self.state.row(number);
        self.then([Step::RepairTickets(user, number, seen, row)]);
    }

    pub(super) fn repair_tickets(
        &mut self,
        user: User,
        number: Number,
        seen: Option<u32>,
        row: Option<Row>,
    ) {
        if let Some(count) = real::wrong_count(self.scenario, user, number, seen, row) {
            let gate = &mut self.state.redis.gate;
            gate.repair_tickets(user, number, seen, count.stored);
        }
    }
}
