//! The model's values as those of `shared`, so that the model calls its rules.

use shared::gate::{
    Abandoned, Accepted, OrderAt, ProgramRef, ReservationState, Settle, SettleTo, Taken,
    TicketCount,
};
use shared::message::{
    CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, ProgramId, SeatIndex,
    Shard, UserId,
};
use shared::steps;
use shared::store::{Decision, Holder, OrderRow, Progress, StoredOrder, StoredRow};

use crate::database::{Insert, Row};
use crate::gate::{self, Changed, Number, Owner, ResvState};
use crate::scenario::{OrderId, Scenario};

/// The time at which numbers are made and rows are read, ms since 1970.
const NOW_MS: i64 = 1_800_000_000_000;
/// The promised time to pay, ms.
const PAY_MS: i64 = 900_000;
/// When a record was appended, ms since 1970.
const APPENDED_MS: i64 = NOW_MS;

fn valid<T, E: std::fmt::Debug>(value: Result<T, E>) -> T {
    value.unwrap_or_else(|error| unreachable!("the model's values are in bounds: {error:?}"))
}

/// The program.
pub(crate) fn program() -> ProgramId {
    valid(ProgramId::new(3))
}

/// A seat.
pub(crate) fn seat(seat: gate::Seat) -> SeatIndex {
    valid(SeatIndex::new(seat))
}

fn category() -> CategoryNo {
    valid(CategoryNo::new(0))
}

fn price() -> Cents {
    valid(Cents::new(100))
}

fn number(number: Number) -> OrderNumber {
    let shard = valid(Shard::new(9));
    valid(OrderNumber::compose(NOW_MS as u64, shard, number))
}

fn model_number(number: OrderNumber) -> Number {
    number.get() as u16
}

/// A nonce.
pub(crate) fn nonce((_, nonce): Owner) -> Nonce {
    Nonce::new([nonce; 16])
}

/// An order as the gate identifies it.
pub(crate) fn at(owner: Owner) -> OrderAt {
    OrderAt {
        order: number(owner.0),
        nonce: nonce(owner),
        program: ProgramRef {
            id: program(),
            shard: number(owner.0).shard(),
        },
    }
}

/// An owner by the number and nonce of `shared`.
pub(crate) fn owner(order: OrderNumber, nonce: Nonce) -> Owner {
    (model_number(order), nonce.bytes()[0])
}

/// The message of an order.
pub(crate) fn request(scenario: &Scenario, order: OrderId) -> OrderRequested {
    let (spec, owner) = (scenario.spec(order), scenario.owner(order));
    let seats: Vec<SeatIndex> = spec.seats.iter().map(|n| seat(*n)).collect();
    OrderRequested {
        v: 1,
        order: number(owner.0),
        nonce: nonce(owner),
        user: valid(UserId::new(format!("buyer-{}", spec.user))),
        program: program(),
        category: category(),
        amount_cents: valid(Cents::new(price().get() * seats.len() as i64)),
        seats,
        unit_price_cents: price(),
        idempotency_key: spec
            .key
            .map(|key| valid(IdempotencyKey::new(format!("key-{key}")))),
        idempotency_hash: None,
        pay_by_ms: NOW_MS + PAY_MS,
        trace: None,
    }
}

/// A row.
pub(crate) fn row(scenario: &Scenario, row: Row) -> OrderRow {
    let request = request(scenario, row.order);
    let remaining_ms = if row.late { -1 } else { PAY_MS };
    OrderRow {
        number: request.order,
        nonce: request.nonce,
        user: (!row.bare).then_some(request.user),
        program: Some(request.program),
        category: (!row.bare).then_some(request.category),
        seats: if row.bare { Vec::new() } else { request.seats },
        unit_price: Some(request.unit_price_cents),
        amount: Some(request.amount_cents),
        idempotency_key: request.idempotency_key,
        status: row.status,
        reason: None,
        duplicate_of: None,
        pay_by_ms: Some(NOW_MS + remaining_ms),
        remaining_ms: Some(remaining_ms),
        version: i64::from(row.version),
        created_at_ms: NOW_MS,
        trace: None,
    }
}

/// What order-create has stored of a request.
pub(crate) fn stored<'a>(
    scenario: &Scenario,
    request: &'a OrderRequested,
    found: Row,
    insert: Insert,
) -> StoredOrder<'a> {
    let its_row = row(scenario, found);
    let decision = match insert {
        Insert::Created { .. } => Decision::Created,
        Insert::Rejected(holder) => {
            let at = at(scenario.owner(holder));
            let holder = Holder {
                number: at.order,
                nonce: at.nonce,
            };
            Decision::Rejected {
                holders: vec![holder],
            }
        }
        Insert::Found => Decision::of_repeat(&its_row, request),
    };
    let row = match insert {
        Insert::Created { extended } => StoredRow::Requested {
            now_ms: NOW_MS,
            pay_by_ms: request.pay_by_ms + i64::from(extended),
        },
        Insert::Rejected(_) | Insert::Found => StoredRow::Other(Box::new(its_row)),
    };
    StoredOrder {
        request,
        decision,
        row,
    }
}

/// The settle call of the model: the order, what is known of it, and the state to apply.
pub(crate) fn settle(settle: &Settle) -> (Owner, gate::Known, SettleTo) {
    let digits = |text: &str| text.rsplit('-').next().and_then(|n| n.parse().ok());
    let seats = settle.seats.as_ref();
    let known = gate::Known {
        user: settle.user.as_ref().and_then(|user| digits(user.as_str())),
        key: settle.key.as_ref().and_then(|key| digits(key.as_str())),
        seats: seats.map(|(_, seats)| seats.iter().map(|seat| seat.get()).collect()),
    };
    (owner(settle.at.order, settle.at.nonce), known, settle.to)
}

/// A reservation's state. Each record is the first of its partition.
pub(crate) fn state(state: ResvState) -> ReservationState {
    match state {
        ResvState::Held => ReservationState::Held,
        ResvState::Accepted(record) => ReservationState::Accepted {
            partition: i32::from(record),
            offset: 0,
            appended_ms: APPENDED_MS,
        },
        ResvState::Abandoning => ReservationState::Abandoning,
        ResvState::Stored => ReservationState::Stored,
    }
}

/// The reply of accept.
pub(crate) fn accepted(changed: Changed) -> Accepted {
    match changed {
        Changed::Yes => Accepted::Yes,
        Changed::Found(found) => Accepted::Found(state(found)),
        Changed::Missing => Accepted::Missing,
    }
}

/// The reply of abandon; `None`: the gate is not open.
pub(crate) fn abandoned(changed: Option<Changed>) -> Abandoned {
    match changed {
        Some(Changed::Yes) => Abandoned::WasHeld,
        Some(Changed::Found(found)) => Abandoned::Found(state(found)),
        Some(Changed::Missing) => Abandoned::Missing,
        None => Abandoned::Refused,
    }
}

/// Progress of order-create, from the handled records, one bit each.
pub(crate) fn progress(handled: u8) -> Vec<Progress> {
    let records = (0..8).filter(|record| handled & 1 << record != 0);
    let passed = |partition| Progress {
        partition,
        incarnation: 1,
        next_offset: 1,
        appended_ms: Some(APPENDED_MS),
    };
    records.map(passed).collect()
}

/// The owner of a seat, as the audit reads it.
pub(crate) fn taken(of: gate::Seat, owner: Owner) -> Taken {
    let at = at(owner);
    Taken {
        seat: seat(of),
        order: at.order,
        nonce: at.nonce,
    }
}

/// The count of an order towards a buyer's limit, if it contradicts the row.
pub(crate) fn wrong_count(
    scenario: &Scenario,
    user: gate::User,
    of: gate::Number,
    seen: Option<u32>,
    found: Option<Row>,
) -> Option<TicketCount> {
    let user = valid(UserId::new(format!("buyer-{user}")));
    let seen = seen.map(|seen| seen.to_string());
    let found = found.map(|found| row(scenario, found));
    let order = number(of).to_string();
    steps::wrong_count(program(), &user, &order, seen.as_deref(), found.as_ref())
}
