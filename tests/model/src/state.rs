//! A state of the whole system.

use std::collections::BTreeMap;

use crate::database::{Batch, Database, Insert, Row};
use crate::gate::{Gate, Number, ResvState, Seat, User};
use crate::scenario::{OrderId, Scenario};

/// The header of the program in Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Header {
    /// Nothing is installed.
    Absent,
    /// A filling is in progress.
    Loading {
        /// Which process fills it.
        loader: u8,
        /// Records before this one are handled before the filling reads Postgres.
        barrier: u8,
        /// How far the filling has come.
        position: Position,
    },
    /// Open.
    Open,
}

/// How far a filling has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// The barrier may not be passed.
    None,
    /// Survivors are settled; the rows remain.
    Seats,
    /// Only the opening remains.
    Done,
}

/// What Redis holds, and loses together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redis {
    /// The header.
    pub header: Header,
    /// The server on which the gate was filled.
    pub filled_on: u8,
    /// The claim of a filling: the loss after which it was granted.
    pub claim: Option<u8>,
    /// Reservations, owners, entries.
    pub gate: Gate,
    /// Leases of entries, by token.
    pub leases: BTreeMap<Number, u8>,
}

/// What the buyer of an order was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Answers {
    /// 202: the order reaches a final state.
    pub accepted: bool,
    /// There is no order.
    pub failed: bool,
    /// The row of another order.
    pub wrong: bool,
}

/// One effect of a process. A process runs one at a time; each is atomic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// storefront: reserve.lua.
    Reserve(OrderId),
    /// storefront: sends the message.
    Publish(OrderId),
    /// storefront: accept.lua, with the record's place.
    Accept(OrderId, u8),
    /// storefront: abandon.lua.
    Abandon(OrderId),
    /// storefront: fence.sql.
    Fence(OrderId),
    /// storefront: settle.lua for a reservation that can have no row.
    Release(OrderId),
    /// storefront: reads the row of an order that the gate reports as stored or ended.
    ReadRow(OrderId),
    /// storefront: cancel.sql.
    Cancel(OrderId),
    /// storefront: reads the reservation of an order without a row.
    CancelLook(OrderId),
    /// storefront: fence.sql for a cancelled order.
    CancelFence(OrderId),
    /// storefront: pay.sql.
    Pay(u8),
    /// storefront: `payment_record.sql`.
    Record(u8),
    /// `payments_apply.sql` and `payments_refund.sql`; then settles a paid row.
    Match(Number),

    /// order-create: the transaction of a record.
    Store(u8),
    /// order-create: confirm.lua.
    Confirm(OrderId, Row, Insert),
    /// order-create: settle.lua for what is not confirmed.
    SettleStored(OrderId, Row, Insert),
    /// order-create: `create_end.sql`.
    EndBatch(Row),
    /// order-create: `orders_newer.sql`.
    ReadNewer(Row),
    /// order-create: `unsettled_clear.sql`.
    ClearBatch(Number),

    /// timeout-closer: the payment provider returns the money of a payment, with the token of its
    /// refund.
    Return(u8, u8),
    /// timeout-closer: `refund_done.sql`, with the token.
    RefundDone(u8, u8),

    /// timeout-closer: `close_due.sql`, with the records that were handled when it looked before.
    CloseDue(OrderId, u8, Option<u8>),
    /// timeout-closer: `orders_closing.sql`.
    CloseLook(OrderId, u8, Option<u8>),
    /// timeout-closer: reads the progress of order-create.
    ReadProgress(OrderId, u8),
    /// timeout-closer: abandon.lua, with the handled records.
    CloseAbandon(OrderId, u8, u8),
    /// timeout-closer: fence.sql.
    CloseFence(OrderId, u8),
    /// timeout-closer: settle.lua for a reservation that can have no row.
    CloseRelease(OrderId, u8),
    /// timeout-closer: match, then settle or retry.
    CloseMatch(OrderId, u8),
    /// The delay queue: ack.lua, with the token.
    Ack(Number, u8),
    /// The delay queue: retry.lua, with the token.
    Retry(Number, u8),

    /// reconcile: settle.lua by a row; the batch that ends with it.
    Settle(Row, Option<Batch>),
    /// reconcile: settled.sql.
    Mark(Row, Option<Batch>),
    /// reconcile: reads the row of an order that lost a seat.
    ReadOther(Number),

    /// The audit: reads owner and holders of a seat; the owner found in the gate before.
    AuditRows(Seat, Option<OrderId>),
    /// The audit: whether the order has an entry.
    AuditEntry(OrderId),
    /// The audit: whether the order has a row.
    AuditRow(OrderId),
    /// The audit: schedules an entry.
    Rearm(OrderId),
    /// The audit: settle.lua for a seat that an ended order owns.
    FreeEnded(OrderId, Seat),
    /// The audit: settles a row, unless it has changed since.
    AuditSettle(Row),

    /// The audit: reads what an order counts towards its buyer's limit.
    AuditTickets(Row),
    /// The audit: reads the row of a count that it has read.
    TicketRow(User, Number, Option<u32>),
    /// The audit: tickets.lua for a count that contradicts the row.
    RepairTickets(User, Number, Option<u32>, Option<Row>),

    /// A loader: `install_begin.lua`; the grant and the barrier, if it has them.
    Begin(u8, Option<(u8, u8)>),
    /// A loader: `install_claim.lua`.
    Claim(u8),
    /// A loader: appends barriers.
    Barrier(u8, u8),
    /// A loader: reads the progress, and compares it with the barrier.
    Passed(u8, u8),
    /// A loader: reads the owners of seats.
    Survivors(u8),
    /// A loader: reads the row of a survivor, which owned these seats, one bit each.
    Survivor(OrderId, u8),
    /// A loader: settle.lua for the seats of a survivor, by its row.
    SettleSurvivor(OrderId, u8, Row),
    /// A loader: notes that survivors are settled, and reads the live rows.
    Seats(u8),
    /// A loader: `install_merge.lua`.
    Merge(u8, [Option<Row>; 3]),
    /// A loader: `install_open.lua`.
    Open(u8),
}

/// What kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A request of a buyer.
    Request,
    /// A cancellation.
    Cancel,
    /// A payment.
    Payment,
    /// order-create, with a record.
    Creator,
    /// timeout-closer, with an entry.
    Closer,
    /// timeout-closer, with a dirty row.
    Sweep,
    /// timeout-closer, with a refund.
    Refunder,
    /// timeout-closer, with a seat.
    Audit,
    /// storefront or timeout-closer, filling a gate.
    Loader,
}

/// A process at work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Task {
    /// Its kind.
    pub kind: Kind,
    /// Distinguishes processes that hold a lease.
    pub id: u8,
    /// What it will do, the next step last.
    pub steps: Vec<Step>,
}

/// A state of the system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// Redis.
    pub redis: Redis,
    /// What a replica has, which may take over.
    pub replica: Option<Box<Redis>>,
    /// The server that answers.
    pub server: u8,
    /// Losses so far.
    pub losses: u8,
    /// Postgres.
    pub db: Database,
    /// Records in the log, and whether order-create has handled each. Every record counts as one of
    /// a partition of its own, so that they are handled in any order.
    pub log: Vec<(OrderId, bool)>,
    /// Messages that may still reach the log.
    pub in_flight: Vec<OrderId>,
    /// Processes.
    pub tasks: Vec<Task>,
    /// Requests, cancellations, payments and requests of refunds that have begun, one bit each.
    pub begun: (u8, u8, u8, u8),
    /// Payments whose money the provider has returned, one bit each. Repeated under the same key, a
    /// request returns nothing more.
    pub returned: u8,
    /// By order.
    pub answers: Vec<Answers>,
    /// Orders without a row whose promised time to pay is over, one bit each.
    pub late: u8,
    /// What is left of the scenario's bounds: crashes, losses, rollbacks, redeliveries.
    pub left: [u8; 4],
}

impl State {
    /// An open gate, no order.
    pub fn first(scenario: &Scenario) -> Self {
        Self {
            redis: Redis {
                header: Header::Open,
                filled_on: 0,
                claim: None,
                gate: Gate::default(),
                leases: BTreeMap::new(),
            },
            replica: None,
            server: 0,
            losses: 0,
            db: Database::new(scenario),
            log: Vec::new(),
            in_flight: Vec::new(),
            tasks: Vec::new(),
            begun: (0, 0, 0, 0),
            returned: 0,
            answers: vec![Answers::default(); scenario.orders.len()],
            late: 0,
            left: [
                scenario.crashes,
                scenario.losses,
                scenario.rollbacks,
                scenario.redeliveries,
            ],
        }
    }

    /// Whether the gate is open, and was filled on the server that answers.
    pub fn is_open(&self) -> bool {
        self.redis.header == Header::Open && self.redis.filled_on == self.server
    }

    /// Whether a loader's filling is in progress here.
    pub fn is_filled_by(&self, id: u8) -> bool {
        matches!(self.redis.header, Header::Loading { loader, .. } if loader == id)
            && self.redis.filled_on == self.server
    }

    /// Notes how far a filling has come.
    pub fn note(&mut self, to: Position) {
        if let Header::Loading { position, .. } = &mut self.redis.header {
            *position = to;
        }
    }

    /// The row of a number.
    pub fn row(&self, number: Number) -> Option<Row> {
        self.db.rows.get(&number).copied()
    }

    /// Whether a process is in the middle of an order that is neither stored nor given up.
    pub fn is_in_progress(&self, scenario: &Scenario, order: OrderId) -> bool {
        let resv = self.redis.gate.reservation(scenario.owner(order));
        resv.is_some_and(|resv| resv.state != ResvState::Stored)
            || self.log.contains(&(order, false))
            || self.in_flight.contains(&order)
    }
}
