//! Steps 2 to 5: what becomes of a reservation, and the gate made to agree with Postgres.

use crate::message::{CategoryNo, IdempotencyKey, Nonce, OrderNumber, SeatIndex, UserId};
use redis_link::{Call, LinkError};

use super::scripts;
use super::types::{OrderAt, ResvState, parse_owner, seat_list};
use super::verbs::Gate;

/// What accepting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Held before, accepted now; its timeout entry is due when payment is.
    Yes,
    /// It was not held any more; nothing changed.
    Found(ResvState),
    /// No such reservation, or no header: nothing changed.
    Missing,
}

/// What abandoning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandon {
    /// Held before, abandoning now: the caller may put up the fence.
    WasHeld,
    /// It was not held any more; nothing changed.
    Found(ResvState),
    /// No such reservation.
    Missing,
    /// Nothing changed, and nothing may be concluded: the gate is closed, absent, or runs on a server it was not filled on; or the
    /// attempt is no longer the caller's.
    Refused,
}

/// What Postgres says of an order, for the gate to agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// The order.
    pub at: OrderAt,
    /// Its buyer; where Postgres has no row, the reservation knows.
    pub user: Option<UserId>,
    /// The client's key, for a mapping that is to be forgotten.
    pub key: Option<IdempotencyKey>,
    /// Its seats; where Postgres has no row, the reservation knows.
    pub seats: Option<(CategoryNo, Vec<SeatIndex>)>,
    /// Which way.
    pub to: SettleTo,
}

/// Which way an order is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettleTo {
    /// The order has its seats.
    Live {
        /// Payment is due in so many ms; nothing once it is paid, then there is no timeout.
        due_in_ms: Option<u64>,
    },
    /// The order has no seats (any more).
    Gone {
        /// After a refusal or a fence: the client's key is to make a new order.
        forget_key: bool,
    },
}

/// What settling did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The gate agrees.
    Done {
        /// Orders that held a seat which Postgres gave to this one: reconcile each.
        displaced: Vec<(OrderNumber, Nonce)>,
        /// How many seats this made free.
        freed: u32,
    },
    /// Live, but the order has ended here: nothing changed.
    Tombstoned,
    /// Live, but neither the caller nor a reservation knows its seats: nothing changed.
    SeatsUnknown,
    /// Live, but the installed map does not have its seats: nothing changed. Install the program anew.
    NoSuchSeat,
    /// No header, or a damaged map: nothing changed. Leave the row dirty; filling the gate brings it in.
    NotInstalled,
}

impl Gate {
    /// The broker has the message: held becomes accepted, the timeout entry is due in `due_in_ms`, whoever leased it has lost it.
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
            .arg(partition)
            .arg(offset)
            .arg(appended_ms)
            .arg(due_in_ms);
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "YES" => Ok(Accepted::Yes),
            "FOUND" => Ok(Accepted::Found(ResvState::read(&mut reply)?)),
            "MISSING" => Ok(Accepted::Missing),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Nobody may send the message again: held becomes abandoning, if `attempt` is still the latest (or any attempt will do).
    pub async fn abandon(&self, at: OrderAt, attempt: Option<u32>) -> Result<Abandon, LinkError> {
        let attempt = attempt.map_or_else(|| "any".to_owned(), |n| n.to_string());
        let call = Call::new(&scripts::ABANDON, &self.head_key(at.program))
            .arg(at.order.to_string())
            .arg(at.nonce.to_string())
            .arg(attempt);
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "WASHELD" => Ok(Abandon::WasHeld),
            "FOUND" => Ok(Abandon::Found(ResvState::read(&mut reply)?)),
            "MISSING" => Ok(Abandon::Missing),
            "REFUSED" => Ok(Abandon::Refused),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Makes the gate agree with what Postgres says of one order. May be repeated; the last word wins, except over a tombstone.
    pub async fn settle(&self, settle: &Settle) -> Result<Settled, LinkError> {
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
        let call = Call::new(&scripts::SETTLE, &self.head_key(settle.at.program))
            .arg(settle.at.order.to_string())
            .arg(settle.at.nonce.to_string())
            .arg(settle.user.as_ref().map_or("", UserId::as_str))
            .arg(settle.key.as_ref().map_or("", IdempotencyKey::as_str))
            .arg(category)
            .arg(seats)
            .arg(to)
            .arg(due)
            .arg(u8::from(forget));
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "DONE" => {
                let freed = reply.parse()?;
                let mut displaced = Vec::with_capacity(reply.remaining());
                while let Some(owner) = reply.next_word()? {
                    displaced.push(parse_owner(&owner)?);
                }
                Ok(Settled::Done { displaced, freed })
            }
            "TOMB" => Ok(Settled::Tombstoned),
            "UNKNOWN" => Ok(Settled::SeatsUnknown),
            "NOSEAT" => Ok(Settled::NoSuchSeat),
            "ABSENT" => Ok(Settled::NotInstalled),
            other => Err(reply.unexpected(other)),
        }
    }
}
