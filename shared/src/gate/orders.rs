//! Accepting, abandoning and settling orders.

use std::collections::BTreeMap;

use futures::future::join_all;

use crate::message::{CategoryNo, IdempotencyKey, Nonce, OrderNumber, SeatIndex, UserId};
use redis_link::{Call, LinkError, Reply};

use super::connection::Gate;
use super::scripts;
use super::types::{OrderAt, ProgramRef, ReservationState, read_owners, seat_list};

/// Orders of one settle call at most, so that a call takes one to three milliseconds of the server.
pub const SETTLE_GROUP: usize = 128;

/// Time for which a stored reservation stays after payment is due, ms, for late requests. As in
/// settle.lua.
pub(super) const STORED_EXTRA_MS: u64 = 3_600_000;

/// The result of accepting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It was held and is accepted now; its timeout entry is due when payment is due.
    Yes,
    /// It was no longer held; nothing changed.
    Found(ReservationState),
    /// No such reservation, or no header: nothing changed.
    Missing,
}

/// The result of abandoning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It was held and is abandoning now: the caller may write the fence.
    WasHeld,
    /// It was no longer held; nothing changed.
    Found(ReservationState),
    /// No such reservation.
    Missing,
    /// Nothing changed, and the reservation is unknown: the gate is closed, missing, or filled on
    /// another server.
    Refused,
}

/// The state of an order in Postgres, to be applied to the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The order.
    pub at: OrderAt,
    /// Its buyer; without a row in Postgres that of the reservation applies.
    pub user: Option<UserId>,
    /// The client's key, if it is to be deleted.
    pub key: Option<IdempotencyKey>,
    /// Its seats; without a row in Postgres those of the reservation apply.
    pub seats: Option<(CategoryNo, Vec<SeatIndex>)>,
    /// The state to apply.
    pub to: SettleTo,
}

impl Settle {
    /// Releases an order that has no row, with the key and the seats of its reservation.
    pub const fn gone(at: OrderAt) -> Self {
        Self {
            at,
            user: None,
            key: None,
            seats: None,
            to: SettleTo::Gone { forget_key: true },
        }
    }
}

/// The state that settling applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleTo {
    /// The order has its seats.
    Live {
        /// Time until payment is due, ms; `None` once it is paid: then there is no timeout.
        due_in_ms: Option<u64>,
    },
    /// The order has no seats.
    Gone {
        /// Delete the client's key, after a refusal or a fence: a repeated request then makes a new
        /// order.
        forget_key: bool,
    },
}

/// The result of settling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The gate has the state of Postgres.
    Done {
        /// Orders that lost a seat to this one: reconcile each.
        displaced: Vec<(OrderNumber, Nonce)>,
        /// How many seats were freed.
        freed: u32,
    },
    /// Live, but the gate has a tombstone of the order: nothing changed.
    Tombstoned,
    /// Live, but neither the call nor a reservation has its seats: nothing changed.
    SeatsUnknown,
    /// Live, but the installed map lacks its seats: nothing changed. Install the program again.
    NoSuchSeat,
    /// No header, or a damaged map: nothing changed. Leave the row dirty; filling the gate includes
    /// it.
    NotInstalled,
}

impl Gate {
    /// Records that the broker has the message: held becomes accepted. The timeout entry is due in
    /// `due_in_ms`, and its lease is revoked.
    pub async fn accept(
        &self,
        at: OrderAt,
        partition: i32,
        offset: i64,
        appended_ms: i64,
        due_in_ms: u64,
    ) -> Result<Accepted, LinkError> {
        let call = Call::new(&scripts::ACCEPT, &self.head_key(at.program))
            .arg(at.order.to_string())
            .arg(at.nonce.to_string())
            .arg(format!("{partition}:{offset}:{appended_ms}"))
            .arg(due_in_ms);
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "YES" => Ok(Accepted::Yes),
            "FOUND" => Ok(Accepted::Found(ReservationState::read(&mut reply)?)),
            "MISSING" => Ok(Accepted::Missing),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Stops publishing: held becomes abandoning.
    pub async fn abandon(&self, at: OrderAt) -> Result<Abandoned, LinkError> {
        let call = Call::new(&scripts::ABANDON, &self.head_key(at.program))
            .arg(at.order.to_string())
            .arg(at.nonce.to_string());
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "WASHELD" => Ok(Abandoned::WasHeld),
            "FOUND" => Ok(Abandoned::Found(ReservationState::read(&mut reply)?)),
            "MISSING" => Ok(Abandoned::Missing),
            "REFUSED" => Ok(Abandoned::Refused),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Applies the state of one order in Postgres. May be repeated; the last call wins, except over
    /// a tombstone.
    pub async fn settle(&self, settle: &Settle) -> Result<Settled, LinkError> {
        let mut settled = self.settle_group(&[settle]).await?;
        settled.pop().ok_or_else(|| unanswered(0, 1))
    }

    /// As [`Gate::settle`], for many orders: one call for every [`SETTLE_GROUP`] orders of a
    /// program, all at the same time. The results are in the order of `settles`; an error of a call
    /// is that of each of its orders.
    pub async fn settle_all(&self, settles: &[Settle]) -> Vec<Result<Settled, LinkError>> {
        let programs = by_program(settles.iter().map(|settle| settle.at.program));
        let groups = programs.values().flat_map(|all| all.chunks(SETTLE_GROUP));
        let calls = groups.map(|group| async move {
            let of_group: Vec<&Settle> = group.iter().map(|at| &settles[*at]).collect();
            let results = match self.settle_group(&of_group).await {
                Ok(settled) => settled.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error); group.len()],
            };
            group.iter().copied().zip(results).collect::<Vec<_>>()
        });
        let mut results: Vec<_> = join_all(calls).await.into_iter().flatten().collect();
        results.sort_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// One call for orders of one program: at least one, at most [`SETTLE_GROUP`].
    async fn settle_group(&self, settles: &[&Settle]) -> Result<Vec<Settled>, LinkError> {
        let Some(first) = settles.first() else {
            return Ok(Vec::new());
        };
        let mut call = Call::new(&scripts::SETTLE, &self.head_key(first.at.program));
        for settle in settles {
            add(&mut call, settle);
        }
        let mut replies = self.link.run(call).await?;
        let settled = replies.rest(|replies| read(&mut replies.nested()?))?;
        if settled.len() == settles.len() {
            Ok(settled)
        } else {
            Err(unanswered(settled.len(), settles.len()))
        }
    }
}

/// The positions of orders by their program.
pub(super) fn by_program(
    programs: impl Iterator<Item = ProgramRef>,
) -> BTreeMap<ProgramRef, Vec<usize>> {
    let mut positions: BTreeMap<ProgramRef, Vec<usize>> = BTreeMap::new();
    for (at, program) in programs.enumerate() {
        positions.entry(program).or_default().push(at);
    }
    positions
}

fn unanswered(found: usize, expected: usize) -> LinkError {
    LinkError::Protocol(format!(
        "gate/settle: {found} results for {expected} orders"
    ))
}

/// Adds the arguments of one order.
fn add(call: &mut Call, settle: &Settle) {
    let (category, seats) = match &settle.seats {
        Some((category, seats)) => (category.to_string(), seat_list(seats)),
        None => (String::new(), String::new()),
    };
    let (to, due, forget) = match settle.to {
        SettleTo::Live { due_in_ms } => (
            "live",
            due_in_ms.map(|ms| ms.to_string()).unwrap_or_default(),
            false,
        ),
        SettleTo::Gone { forget_key } => ("gone", String::new(), forget_key),
    };
    call.push(settle.at.order.to_string());
    call.push(settle.at.nonce.to_string());
    call.push(settle.user.as_ref().map_or("", UserId::as_str));
    call.push(settle.key.as_ref().map_or("", IdempotencyKey::as_str));
    call.push(category);
    call.push(seats);
    call.push(to);
    call.push(due);
    call.push(u8::from(forget));
}

/// Reads the result of one order.
fn read(reply: &mut Reply) -> Result<Settled, LinkError> {
    match reply.word()?.as_str() {
        "DONE" => {
            let freed = reply.parse()?;
            let mut displaced = Vec::with_capacity(reply.remaining());
            read_owners(reply, &mut displaced)?;
            Ok(Settled::Done { displaced, freed })
        }
        "TOMB" => Ok(Settled::Tombstoned),
        "UNKNOWN" => Ok(Settled::SeatsUnknown),
        "NOSEAT" => Ok(Settled::NoSuchSeat),
        "ABSENT" => Ok(Settled::NotInstalled),
        other => Err(reply.unexpected(other)),
    }
}
