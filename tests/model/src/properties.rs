//! What holds in every state, and what holds at rest.

use std::collections::BTreeMap;

use shared::sale::Status;

use crate::database::{Money, Row};
use crate::gate::{Owner, ResvState, Seat};
use crate::scenario::{OrderId, Scenario};
use crate::state::State;

/// What a step breaks, if anything.
pub(crate) fn broken(scenario: &Scenario, before: &State, after: &State) -> Option<&'static str> {
    for (number, row) in &after.db.rows {
        let valid = match before.row(*number) {
            None => row.status.may_begin() && !row.late,
            Some(old) => {
                old.order == row.order
                    && (old.status == row.status || old.status.may_become(row.status))
            }
        };
        if !valid {
            return Some("an order takes a forbidden transition, or is late when it is stored");
        }
    }
    let mut live: BTreeMap<Seat, OrderId> = BTreeMap::new();
    for row in after.db.rows.values().filter(|row| row.status.is_live()) {
        for seat in &scenario.spec(row.order).seats {
            if live.insert(*seat, row.order).is_some() {
                return Some("a seat is sold twice");
            }
        }
    }
    for order in scenario.ids() {
        let answers = after.answers[usize::from(order)];
        let spec = scenario.spec(order);
        let row = after.row(spec.number).filter(|row| row.order == order);
        let status = row.map(|row| row.status);
        let cancels = scenario.cancels.iter().enumerate();
        let is_cancelled = cancels
            .filter(|(n, _)| after.begun.1 & 1 << n != 0)
            .any(|(_, of)| *of == order);
        if answers.wrong {
            return Some("a buyer is answered by another buyer's order");
        }
        if answers.failed && status.is_some_and(Status::is_live) {
            return Some("an order is live after its buyer received the answer that there is none");
        }
        // A failover can lose that timeout-closer has given the reservation up.
        let is_void = status == Some(Status::Void) && after.server == 0;
        if answers.accepted && is_void && !is_cancelled {
            return Some("an accepted order becomes void");
        }
        if answers.accepted && status == Some(Status::Rejected) && after.losses == 0 {
            return Some("an accepted order is rejected, although Redis lost nothing");
        }
        // The number of another order's row: see the accepted failures of the protocol.
        let is_displaced = after.row(spec.number).is_some_and(|row| row.order != order);
        let is_open = status.is_none_or(Status::is_live) && !is_displaced;
        let owners = &after.redis.gate.owners;
        let offers = spec.seats.iter().any(|seat| !owners.contains_key(seat));
        if !answers.accepted || !is_open || !offers || !after.is_open() {
            continue;
        }
        // After a loss, settling a stored order can displace a later holder.
        if after.losses == 0 {
            return Some("the open gate offers a seat of an accepted order");
        }
        if !before.is_open() && status.is_none() {
            return Some("a gate opens without an accepted order");
        }
    }
    unpaid_money(scenario, after)
}

fn unpaid_money(scenario: &Scenario, state: &State) -> Option<&'static str> {
    for (number, row) in &state.db.rows {
        let payments = state.db.payments.iter().zip(&scenario.payments);
        let of_order = payments.filter(|(_, of)| *of == number);
        let applied = of_order
            .filter(|(money, _)| **money == Money::Applied)
            .count();
        let is_paid = matches!(row.status, Status::Paid | Status::Refunding);
        if applied != usize::from(is_paid) {
            return Some("an order is not paid by exactly one payment");
        }
    }
    for (n, money) in state.db.payments.iter().enumerate() {
        let is_returned = state.returned & 1 << n != 0;
        let row = state.row(scenario.payments[n]);
        let is_kept = *money == Money::Applied && row.is_none_or(|row| row.status == Status::Paid);
        if is_returned && is_kept {
            return Some("the money of a paid order is returned");
        }
        if *money == Money::Refunded && !is_returned {
            return Some("a payment counts as refunded, and its money was not returned");
        }
    }
    None
}

/// What is not settled in a state of rest.
pub(crate) fn unsettled(scenario: &Scenario, state: &State) -> Option<&'static str> {
    if !state.is_open() {
        return Some("the gate stays closed");
    }
    let mut owners: BTreeMap<Seat, Owner> = BTreeMap::new();
    for row in state.db.rows.values() {
        if row.status == Status::Unpaid && scenario.time_passes {
            return Some("an order stays unpaid after its time");
        }
        if row.status.is_live() {
            let seats = scenario.spec(row.order).seats.iter();
            owners.extend(seats.map(|seat| (*seat, scenario.owner(row.order))));
        }
    }
    for order in scenario.ids() {
        let row = state.row(scenario.spec(order).number);
        if state.answers[usize::from(order)].accepted && row.is_none() {
            return Some("an accepted order has no final state");
        }
    }
    let gate = &state.redis.gate;
    for (number, resv) in &gate.resvs {
        // Its timeout is not over.
        let is_in_progress = resv.state != ResvState::Stored && state.row(*number).is_none();
        if is_in_progress && !scenario.time_passes {
            owners.extend(resv.seats.iter().map(|seat| (*seat, (*number, resv.nonce))));
        } else if resv.state != ResvState::Stored {
            return Some("a reservation is never completed");
        }
    }
    // An entry of an ended order is completed when it is due.
    if scenario.time_passes && !gate.entries.is_empty() {
        return Some("a timeout entry is never completed");
    }
    if gate.owners != owners {
        return Some("the gate's seats differ from those of Postgres");
    }
    let counted: u32 = gate.tickets.values().sum();
    if counted as usize != owners.len() {
        return Some("a buyer's tickets differ from the orders of the buyer");
    }
    let is_waiting = |(money, number): (&Money, &u16)| {
        *money == Money::Unmatched && state.db.rows.contains_key(number)
    };
    if state
        .db
        .payments
        .iter()
        .zip(&scenario.payments)
        .any(is_waiting)
    {
        return Some("a payment is neither applied nor refunded");
    }
    let is_to_refund = |money: &Money| !scenario.refunds.is_empty() && *money == Money::ToRefund;
    let is_refunding = |row: &Row| row.status == Status::Refunding;
    if state.db.payments.iter().any(is_to_refund) || state.db.rows.values().any(is_refunding) {
        return Some("a refund is never made");
    }
    let is_marked = state.db.rows.values().any(|row| row.dirty) || !state.db.batches.is_empty();
    is_marked.then_some("a row stays marked for the sweep")
}
