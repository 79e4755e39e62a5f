//! The actions of the system.

use crate::database::Batch;
use crate::gate::{Number, Seat, User};
use crate::scenario::OrderId;

/// An action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process at this place does its next effect; the outcome, where there are several.
    Run(u8, Outcome),
    /// The process at this place is killed.
    Crash(u8),
    /// A buyer sends a request.
    Request(OrderId),
    /// A buyer cancels an order.
    Cancel(OrderId),
    /// The provider reports a payment.
    Pay(u8),
    /// An operator requests the refund of an order.
    Refund(u8),
    /// The sweep requests the refunds of payments that pay no order.
    RequestRefunds,
    /// The sweep hands a refund out, for the first time or after its process was killed.
    HandOut(u8),
    /// The sweep hands a refund out once more: its lease has ended.
    HandOutAgain(u8),
    /// A message in flight reaches the log.
    Land(OrderId),
    /// A message in flight is lost.
    Drop(OrderId),
    /// order-create receives a record.
    Deliver(u8),
    /// order-create receives a record that was handled.
    Redeliver(u8),
    /// The time to pay of an order is over.
    Late(OrderId),
    /// timeout-closer claims a due entry.
    Claim(Number),
    /// The sweep closes an overdue row.
    Overdue(Number),
    /// The sweep makes a listed order dirty.
    Adopt(Batch),
    /// The sweep matches payments.
    Match(Number),
    /// The sweep reads a dirty row.
    Dirty(Number),
    /// The sweep audits a seat whose owner in the gate differs from that in Postgres.
    Audit(Seat),
    /// The sweep audits any other seat.
    AuditAgain(Seat),
    /// The sweep audits what an order counts towards its buyer's limit.
    AuditTickets(User, Number),
    /// The same, where there is nothing to repair.
    AuditTicketsAgain(User, Number),
    /// A process begins or continues to fill the gate.
    Fill,
    /// Redis loses everything.
    Lose,
    /// A replica stops to follow.
    Lag,
    /// The replica takes over.
    FailOver,
}

/// Outcome of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Done,
    /// The producer refused the message.
    Refused,
    /// The producer's outcome is unknown.
    Unknown,
}
