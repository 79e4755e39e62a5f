//! What the gate ought to hold: the plain gate of the protocol's model, and values of the model as
//! those of the gate.

use std::collections::{BTreeMap, BTreeSet};

use model::gate::{Gate, Hold, Known, Number, Owner, Reply, Resv, ResvState, Seat};
use shared::gate::{OrderAt, ProgramRef, ReservationState, Reserved};
use shared::message::{Cents, Nonce, OrderNumber, OrderRequested, ProgramId, SeatIndex};
use shared::sale::Category;

use super::{LIMIT, SeatChoice, USERS};
use crate::environment::{
    PAY_BY_MS, TRACE, TestEnvironment, category, hash, idem, nonce, number, seat, uid,
};

/// What Postgres would say of an order: seats last settled live, not gone since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LiveRow {
    pub(super) owner: Owner,
    pub(super) user: u8,
    pub(super) category: u16,
    pub(super) seats: Vec<Seat>,
    pub(super) due: bool,
}

impl LiveRow {
    pub(super) fn known(&self) -> Known {
        Known {
            user: Some(self.user),
            key: None,
            seats: Some(self.seats.clone()),
        }
    }
}

/// The gate, and Postgres behind it.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) gate: Gate,
    /// Orders that were ever settled live.
    pub(super) stored: BTreeSet<Owner>,
    pub(super) rows: BTreeMap<Number, LiveRow>,
    /// Seats that are blocked in Postgres.
    pub(super) blocked: BTreeSet<Seat>,
    /// How often these have changed: the version of the program.
    pub(super) version: i64,
}

/// Why there are no such seats.
enum NoSeats {
    Blocked(Vec<Seat>),
    Taken(Vec<Seat>),
    SoldOut,
    NotAdjacent(u32),
}

pub(super) fn nonce_of(nonced: u8) -> Nonce {
    nonce(u128::from(nonced))
}

/// An order as the gate identifies it.
pub(super) fn named((order, nonced): Owner) -> (OrderNumber, Nonce) {
    (number(order), nonce_of(nonced))
}

pub(super) fn order_at((order, nonced): Owner, program: ProgramRef) -> OrderAt {
    OrderAt {
        order: number(order),
        nonce: nonce_of(nonced),
        program,
    }
}

pub(super) fn key_text(key: u8) -> String {
    format!("key:{key}")
}

pub(super) fn state_of(state: ResvState) -> ReservationState {
    match state {
        ResvState::Held => ReservationState::Held,
        ResvState::Accepted(_) => ReservationState::Accepted {
            partition: 3,
            offset: i64::MAX,
            appended_ms: 1_795_371_222_316,
        },
        ResvState::Abandoning => ReservationState::Abandoning,
        ResvState::Stored => ReservationState::Stored,
    }
}

pub(super) fn indexes(seats: &[u32]) -> Vec<SeatIndex> {
    seats.iter().map(|n| seat(*n)).collect()
}

/// The map that the gate and the blocked seats make.
#[derive(Clone, Copy)]
pub(super) struct Map<'a> {
    pub(super) gate: &'a Gate,
    pub(super) blocked: &'a BTreeSet<Seat>,
}

impl Map<'_> {
    fn is_free(&self, seat: Seat) -> bool {
        !self.gate.owners.contains_key(&seat) && !self.blocked.contains(&seat)
    }

    /// The byte of a seat.
    pub(super) fn code(&self, seat: Seat) -> u8 {
        let taken = self.gate.owners.contains_key(&seat);
        match (taken, self.blocked.contains(&seat)) {
            (false, false) => b'0',
            (true, false) => b'1',
            (false, true) => b'2',
            (true, true) => b'4',
        }
    }
}

/// The free seats of a category.
pub(super) fn free(map: Map<'_>, of: &Category) -> Vec<Seat> {
    let all = of.layout.all().map(SeatIndex::get);
    all.filter(|n| map.is_free(*n)).collect()
}

/// Free runs of a row: first seat and length.
pub(super) fn runs(map: Map<'_>, of: &Category, row: u32) -> Vec<(Seat, u32)> {
    let first = of.layout.first().get() + row * of.layout.row_len();
    let mut runs: Vec<(Seat, u32)> = Vec::new();
    for n in (first..first + of.layout.row_len()).filter(|n| map.is_free(*n)) {
        match runs.last_mut() {
            Some((start, len)) if *start + *len == n => *len += 1,
            _ => runs.push((n, 1)),
        }
    }
    runs
}

fn best(map: Map<'_>, of: &Category, count: u32) -> Option<Vec<Seat>> {
    let fits = |row| {
        runs(map, of, row)
            .into_iter()
            .filter(|(_, len)| *len >= count)
            .min_by_key(|(first, len)| (*len, *first))
    };
    let (first, _) = (0..of.layout.rows()).find_map(fits)?;
    Some((first..first + count).collect())
}

fn find(map: Map<'_>, of: &Category, want: &SeatChoice) -> Result<Vec<Seat>, NoSeats> {
    match want {
        SeatChoice::Seats(_, seats) => {
            let is_blocked = |n: &&Seat| map.blocked.contains(n);
            let blocked: Vec<Seat> = seats.iter().filter(is_blocked).copied().collect();
            let is_taken = |n: &&Seat| map.gate.owners.contains_key(n);
            let taken: Vec<Seat> = seats.iter().filter(is_taken).copied().collect();
            if !blocked.is_empty() {
                Err(NoSeats::Blocked(blocked))
            } else if taken.is_empty() {
                Ok(seats.clone())
            } else {
                Err(NoSeats::Taken(taken))
            }
        }
        SeatChoice::Best(_, count) => match (free(map, of).len() as u32, best(map, of, *count)) {
            (0, _) => Err(NoSeats::SoldOut),
            (free, None) => Err(NoSeats::NotAdjacent(free)),
            (_, Some(seats)) => Ok(seats),
        },
    }
}

impl Model {
    pub(super) fn reserve(
        &mut self,
        environment: &TestEnvironment,
        order: Owner,
        user: u8,
        want: &SeatChoice,
        key: Option<(u8, u8)>,
    ) -> Reserved {
        let (category, count) = match want {
            SeatChoice::Seats(category, seats) => (*category, seats.len() as u32),
            SeatChoice::Best(category, count) => (*category, *count),
        };
        let hold = Hold {
            order,
            user,
            category,
            count,
            limit: LIMIT,
            key,
        };
        let of = &environment.program.categories[usize::from(category)];
        let blocked = &self.blocked;
        let find = |gate: &Gate| find(Map { gate, blocked }, of, want);
        match self.gate.reserve(&hold, find) {
            Reply::Held(resv) => held(order.0, &resv),
            Reply::Again(its_number, resv) => Reserved::Again {
                order: number(its_number),
                nonce: nonce_of(resv.nonce),
                state: state_of(resv.state),
                seats: indexes(&resv.seats),
                message: message(its_number, &resv),
            },
            Reply::Ended(owner) => {
                let (order, nonce) = named(owner);
                Reserved::Ended { order, nonce }
            }
            Reply::KeyReused => Reserved::KeyReused,
            Reply::InUse => Reserved::NumberInUse,
            Reply::Limit(have) => Reserved::LimitReached { have },
            Reply::Refused(NoSeats::Blocked(seats)) => Reserved::SeatsBlocked(indexes(&seats)),
            Reply::Refused(NoSeats::Taken(seats)) => Reserved::SeatsTaken(indexes(&seats)),
            Reply::Refused(NoSeats::SoldOut) => Reserved::SoldOut,
            Reply::Refused(NoSeats::NotAdjacent(free)) => Reserved::NotAdjacent { free },
        }
    }

    /// Its map.
    pub(super) fn map(&self) -> Map<'_> {
        Map {
            gate: &self.gate,
            blocked: &self.blocked,
        }
    }

    /// Notes what Postgres would say of an order that is settled live.
    pub(super) fn store(&mut self, row: LiveRow) {
        self.stored.insert(row.owner);
        self.rows.insert(row.owner.0, row);
    }

    /// The live row of an order.
    pub(super) fn row(&self, order: Owner) -> Option<&LiveRow> {
        self.rows.get(&order.0).filter(|row| row.owner == order)
    }
}

pub(super) fn message(order: Number, resv: &Resv) -> String {
    if resv.state == ResvState::Stored {
        return String::new();
    }
    let message = OrderRequested {
        v: 1,
        order: number(order),
        nonce: nonce_of(resv.nonce),
        user: uid(USERS[usize::from(resv.user)]),
        program: ProgramId::new(17).expect("valid"),
        category: category(resv.category),
        seats: indexes(&resv.seats),
        unit_price_cents: Cents::new(4200).expect("valid"),
        amount_cents: Cents::new(4200 * resv.seats.len() as i64).expect("valid"),
        idempotency_key: resv.key.map(|(key, _)| idem(&key_text(key))),
        idempotency_hash: resv.key.map(|(_, body)| hash(body)),
        pay_by_ms: PAY_BY_MS,
        trace: Some(TRACE.into()),
    };
    serde_json::to_string(&message).expect("JSON")
}

fn held(order: Number, resv: &Resv) -> Reserved {
    Reserved::Held {
        order: number(order),
        nonce: nonce_of(resv.nonce),
        seats: indexes(&resv.seats),
        message: message(order, resv),
    }
}
