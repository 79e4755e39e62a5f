//! Postgres as plain values: what each statement does.
//!
//! Each function names the statement whose rule it states. `shared/tests/store/model.rs` holds the
//! statements of order-create equal to these rules on a real server.

use std::collections::{BTreeMap, BTreeSet};

use shared::sale::{Status, stored_pay_by};

use crate::gate::{Number, Seat};
use crate::protections::Protection;
use crate::scenario::{OrderId, Scenario};

/// A row of `orders`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Row {
    /// The order.
    pub order: OrderId,
    /// Its state.
    pub status: Status,
    /// Raised by every change.
    pub version: u8,
    /// Whether the gate may lack its last change.
    pub dirty: bool,
    /// Whether its time to pay is over.
    pub late: bool,
    /// A fence that knows neither buyer nor seats.
    pub bare: bool,
}

/// Why a row is listed in `unsettled`. A number is stored once and closed once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Batch {
    /// By order-create.
    Stored(Number),
    /// By timeout-closer.
    Closed(Number),
}

impl Batch {
    /// The listed order.
    pub fn number(self) -> Number {
        match self {
            Self::Stored(number) | Self::Closed(number) => number,
        }
    }
}

/// State of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Money {
    /// Not received.
    None,
    /// It waits for its order.
    Unmatched,
    /// It paid its order.
    Applied,
    /// To be refunded: it pays no order.
    ToRefund,
    /// Refunded.
    Refunded,
}

/// State of the refund of a payment, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refund {
    /// Not requested.
    None,
    /// To be handed out.
    Requested,
    /// A worker has it, under this token.
    HandedOut(u8),
    /// Recorded as returned.
    Done,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insert {
    /// Stored as unpaid; whether with more time to pay than promised.
    Created {
        /// See above.
        extended: bool,
    },
    /// Stored as rejected: this order holds its seat, or its key.
    Rejected(OrderId),
    /// The number had this row.
    Found,
}

/// The tables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Database {
    /// `orders`.
    pub rows: BTreeMap<Number, Row>,
    /// `order_seats`.
    pub holders: BTreeSet<(Seat, Number)>,
    /// `unsettled`.
    pub batches: BTreeSet<Batch>,
    /// `payments`, by their place in the scenario.
    pub payments: Vec<Money>,
    /// Those that wait for their orders, as they came.
    pub waiting: Vec<u8>,
    /// `refunds`, by payment.
    pub refunds: Vec<Refund>,
}

impl Database {
    /// Empty tables.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            rows: BTreeMap::new(),
            holders: BTreeSet::new(),
            batches: BTreeSet::new(),
            payments: vec![Money::None; scenario.payments.len()],
            waiting: Vec::new(),
            refunds: vec![Refund::None; scenario.payments.len()],
        }
    }

    /// Stores a requested order (`create_new.sql`; `create_orders.sql` to `create_duplicates.sql`).
    pub fn store(&mut self, scenario: &Scenario, order: OrderId, late: bool) -> (Insert, Row) {
        let spec = scenario.spec(order);
        if let Some(row) = self.rows.get(&spec.number) {
            return (Insert::Found, *row);
        }
        let has_key = |row: &&Row| {
            let other = scenario.spec(row.order);
            !matches!(row.status, Status::Void | Status::Rejected)
                && spec.key.is_some()
                && (other.user, other.key) == (spec.user, spec.key)
        };
        let holder = |(seat, number): &(Seat, Number)| {
            let row = self.rows.get(number)?;
            spec.seats.contains(seat).then_some(row.order)
        };
        let key_holder = self.rows.values().find(has_key).map(|row| row.order);
        let seat_holder = self.holders.iter().find_map(holder);
        let seat_holder = seat_holder.filter(|_| scenario.kept.has(Protection::SeatKey));
        let (insert, status) = match key_holder.or(seat_holder) {
            Some(holder) => (Insert::Rejected(holder), Status::Rejected),
            None => (Insert::Created { extended: late }, Status::Unpaid),
        };
        // The promised time ends at 10; order-create is in time, or late.
        let now = if late { 20 } else { 0 };
        let row = Row {
            order,
            status,
            version: 1,
            dirty: false,
            late: stored_pay_by(10, now, 5) <= now,
            bare: false,
        };
        self.rows.insert(spec.number, row);
        if status == Status::Unpaid {
            let seats = spec.seats.iter();
            self.holders.extend(seats.map(|seat| (*seat, spec.number)));
        }
        self.list(scenario, Batch::Stored(spec.number));
        (insert, row)
    }

    /// fence.sql. Gives the row that decides.
    pub fn fence(&mut self, scenario: &Scenario, order: OrderId, bare: bool) -> Row {
        *self.rows.entry(scenario.spec(order).number).or_insert(Row {
            order,
            status: Status::Void,
            version: 1,
            // The column's default.
            dirty: scenario.kept.has(Protection::DirtyFlag),
            late: false,
            bare,
        })
    }

    /// pay.sql: pays an unpaid order that no other payment waits for.
    pub fn pay(&mut self, scenario: &Scenario, payment: usize) -> Option<Row> {
        let number = scenario.payments[payment];
        let is_recorded = self.payments[payment] != Money::None;
        if is_recorded || self.is_waited_for(scenario, number) {
            return None;
        }
        let row = self.change(scenario, number, Status::Paid)?;
        self.payments[payment] = Money::Applied;
        Some(row)
    }

    /// `payment_record.sql`.
    pub fn record(&mut self, payment: usize) {
        if self.payments[payment] == Money::None {
            self.payments[payment] = Money::Unmatched;
            self.waiting.push(payment as u8);
        }
    }

    /// `payments_apply.sql`, then `payments_refund.sql`. Gives the row if it became paid.
    pub fn match_payments(&mut self, scenario: &Scenario, number: Number) -> Option<Row> {
        if !self.is_waited_for(scenario, number) || !self.rows.contains_key(&number) {
            return None;
        }
        let paid = self.change(scenario, number, Status::Paid);
        let mut pays = paid.is_some();
        let is_of_order = |at: &u8| scenario.payments[usize::from(*at)] == number;
        for at in std::mem::take(&mut self.waiting) {
            if !is_of_order(&at) {
                self.waiting.push(at);
            } else if std::mem::take(&mut pays) {
                self.payments[usize::from(at)] = Money::Applied;
            } else {
                self.payments[usize::from(at)] = Money::ToRefund;
            }
        }
        paid
    }

    /// cancel.sql.
    pub fn cancel(&mut self, scenario: &Scenario, order: OrderId) -> Option<Row> {
        let spec = scenario.spec(order);
        let row = self.rows.get(&spec.number)?;
        if scenario.spec(row.order).user != spec.user {
            return None;
        }
        self.change(scenario, spec.number, Status::Cancelled)
    }

    /// `close_due.sql`, for an order of this nonce.
    pub fn close_due(&mut self, scenario: &Scenario, order: OrderId) -> bool {
        let number = scenario.spec(order).number;
        let Some(row) = self.rows.get(&number) else {
            return false;
        };
        let is_its = scenario.owner(row.order) == scenario.owner(order);
        if !is_its || !row.late || self.is_waited_for(scenario, number) {
            return false;
        }
        let dirty = row.dirty;
        let Some(closed) = self.change(scenario, number, Status::Closed) else {
            return false;
        };
        // The batch marks it, not its flag.
        self.rows.insert(number, Row { dirty, ..closed });
        self.list(scenario, Batch::Closed(number));
        true
    }

    /// `sweep_overdue.sql`.
    pub fn sweep_overdue(&mut self, scenario: &Scenario, number: Number) {
        let is_late = self.rows.get(&number).is_some_and(|row| row.late);
        if is_late && !self.is_waited_for(scenario, number) {
            self.change(scenario, number, Status::Closed);
        }
    }

    /// `unsettled_adopt.sql`.
    pub fn adopt(&mut self, batch: Batch) {
        if self.batches.remove(&batch)
            && let Some(row) = self.rows.get_mut(&batch.number())
        {
            row.dirty = true;
        }
    }

    /// settled.sql: clears the flag of the settled version, and gives the row if it is newer. Then
    /// the batch stays.
    pub fn settled(&mut self, scenario: &Scenario, row: Row, ends: Option<Batch>) -> Option<Row> {
        let found = self.rows.get_mut(&scenario.spec(row.order).number)?;
        if found.version > row.version && scenario.kept.has(Protection::NewerVersion) {
            return Some(*found);
        }
        if found.version == row.version || !scenario.kept.has(Protection::NewerVersion) {
            found.dirty = false;
        }
        if let Some(batch) = ends {
            self.batches.remove(&batch);
        }
        None
    }

    /// `orders_newer.sql`.
    pub fn newer(&self, scenario: &Scenario, row: Row) -> Option<Row> {
        let found = self.rows.get(&scenario.spec(row.order).number)?;
        let is_newer = found.version > row.version && scenario.kept.has(Protection::NewerVersion);
        is_newer.then_some(*found)
    }

    /// Whether a payment waits for an order.
    pub fn is_waited_for(&self, scenario: &Scenario, number: Number) -> bool {
        let mut waiting = self.waiting.iter();
        waiting.any(|at| scenario.payments[usize::from(*at)] == number)
    }

    /// The conditional UPDATE of an order. Frees the seats of one that ends.
    pub(crate) fn change(
        &mut self,
        scenario: &Scenario,
        number: Number,
        to: Status,
    ) -> Option<Row> {
        let row = self.rows.get_mut(&number)?;
        if !row.status.may_become(to) {
            return None;
        }
        row.status = to;
        row.version += 1;
        row.dirty |= scenario.kept.has(Protection::DirtyFlag);
        let row = *row;
        if !to.is_live() {
            self.holders.retain(|(_, of)| *of != number);
        }
        Some(row)
    }

    fn list(&mut self, scenario: &Scenario, batch: Batch) {
        if scenario.kept.has(Protection::DirtyFlag) {
            self.batches.insert(batch);
        }
    }
}
