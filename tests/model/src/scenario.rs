//! What a run of the model contains: orders, payments, faults, and the bounds of each.

use std::ops::Range;

use crate::gate::{Gate, Nonce, Number, Owner, Seat, User};
use crate::protections::{Kept, Protection};

/// The order of a request, by its place in [`Scenario::orders`].
pub type OrderId = u8;

/// A requested order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSpec {
    /// Its number.
    pub number: Number,
    /// Its nonce.
    pub nonce: Nonce,
    /// The buyer.
    pub user: User,
    /// The client's key.
    pub key: Option<u8>,
    /// The seats.
    pub seats: Vec<Seat>,
}

/// A bounded part of the protocol.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools)] // Each switches one kind of event on.
pub struct Scenario {
    /// For reports.
    pub name: &'static str,
    /// One request for each order.
    pub orders: Vec<OrderSpec>,
    /// The number that each payment is for.
    pub payments: Vec<Number>,
    /// Orders that their buyers may cancel.
    pub cancels: Vec<OrderId>,
    /// Numbers whose refund an operator requests. Without any there is no provider of refunds.
    pub refunds: Vec<Number>,
    /// Whether a publish may be refused, and whether its outcome may stay unknown.
    pub refused: bool,
    /// See `refused`.
    pub unknown: bool,
    /// Processes that may be killed, each between any two effects.
    pub crashes: u8,
    /// Times that Redis loses everything.
    pub losses: u8,
    /// Times that Redis goes back to an older state, on another server.
    pub rollbacks: u8,
    /// Records that are delivered once more after they were handled.
    pub redeliveries: u8,
    /// Whether the orders differ in nothing but their buyers: then they begin in one sequence.
    pub symmetric: bool,
    /// Whether time passes: the publish window and the time to pay end at any moment. Else never:
    /// what the system does at once must suffice.
    pub time_passes: bool,
    /// Whether the sweep audits the gate: its seats, and the tickets of buyers.
    pub audits: bool,
    /// Processes at work at once: any two interleave, one after another.
    pub processes: usize,
    /// The protections in force.
    pub kept: Kept,
}

impl Scenario {
    /// Requests for these seats, by a buyer each, and nothing that fails.
    pub fn new(name: &'static str, seats: &[&[Seat]]) -> Self {
        let orders = seats.iter().zip(1..).map(|(seats, n)| OrderSpec {
            number: Number::from(n),
            nonce: n,
            user: n,
            key: None,
            seats: seats.to_vec(),
        });
        Self {
            name,
            orders: orders.collect(),
            payments: Vec::new(),
            cancels: Vec::new(),
            refunds: Vec::new(),
            refused: false,
            unknown: false,
            crashes: 0,
            losses: 0,
            rollbacks: 0,
            redeliveries: 0,
            symmetric: true,
            time_passes: true,
            audits: false,
            processes: 2,
            kept: Kept::ALL,
        }
    }

    /// The same without a protection.
    #[must_use]
    pub fn without(&self, protection: Protection) -> Self {
        Self {
            kept: self.kept.without(protection),
            ..self.clone()
        }
    }

    /// An order as the gate and Postgres identify it.
    pub fn owner(&self, order: OrderId) -> Owner {
        let spec = self.spec(order);
        if self.kept.has(Protection::Nonce) {
            (spec.number, spec.nonce)
        } else {
            (spec.number, 0)
        }
    }

    /// A requested order.
    pub fn spec(&self, order: OrderId) -> &OrderSpec {
        &self.orders[usize::from(order)]
    }

    /// Identities of all orders.
    pub fn ids(&self) -> Range<OrderId> {
        0..self.orders.len() as OrderId
    }

    /// The order of a number and nonce. Without nonces it is the one of the gate's reservation.
    pub fn find(&self, owner: Owner, gate: &Gate) -> Option<OrderId> {
        let user = gate.reservation(owner).map(|resv| resv.user);
        let mut found = self.ids().filter(|order| self.owner(*order) == owner);
        let first = found.clone().next();
        found
            .find(|order| Some(self.spec(*order).user) == user)
            .or(first)
    }
}
