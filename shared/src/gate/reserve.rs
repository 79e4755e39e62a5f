//! Step 1: seats for a buyer, all or nothing.

use crate::message::{Cents, IdempotencyKey, Nonce, OrderNumber, SeatIndex, UserId};
use crate::sale::SeatSelection;
use redis_link::{Call, LinkError, Reply};

use super::scripts;
use super::types::{ProgramRef, ResvState, parse_owner, parse_seats, seat_list};
use super::verbs::Gate;

/// A wish for seats. Bounds of `want` are the sale's to check, before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserve {
    /// The program; its shard must be the one in the order number.
    pub program: ProgramRef,
    /// The new order's identity.
    pub order: OrderNumber,
    /// Its nonce.
    pub nonce: Nonce,
    /// The buyer.
    pub user: UserId,
    /// Which seats.
    pub want: SeatSelection,
    /// Price of one ticket, as quoted.
    pub unit_price: Cents,
    /// Most live tickets this buyer may have of this program.
    pub user_limit: u32,
    /// The client's key, and a hash of the request's body in hex digits: a key with another body is refused.
    pub idempotency: Option<(IdempotencyKey, String)>,
    /// How long the reservation may stay unpublished, ms: the timeout entry is due then.
    pub publish_window_ms: u64,
    /// How long the client's key is remembered, ms.
    pub idem_ttl_ms: u64,
    /// The encoded message up to and including `"seats":[`.
    pub message_head: String,
    /// The encoded message from the `]` on.
    pub message_tail: String,
}

/// What became of a wish. Only `Held` and `Again` mean that seats are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// The seats are the order's.
    Held {
        /// The order asked for.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
        /// Its seats, ascending.
        seats: Vec<SeatIndex>,
        /// The message to publish.
        message: String,
        /// The attempt that is now the caller's: 1.
        attempt: u32,
    },
    /// The client's key named an order before: that one. If it is still held, the caller now has the latest attempt, a new publish
    /// window, and the message to send again.
    Again {
        /// The earlier order.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
        /// How far it has come.
        state: ResvState,
        /// Its seats.
        seats: Vec<SeatIndex>,
        /// Its message; empty once stored.
        message: String,
        /// The latest attempt.
        attempt: u32,
    },
    /// The client's key named an order before, whose reservation has ended: its row says what became of it.
    Ended {
        /// The earlier order.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
    },
    /// The client's key was used with another body.
    KeyReused,
    /// No seat of the category is free.
    SoldOut,
    /// No row has so many free seats side by side.
    NotAdjacent {
        /// Free seats of the category.
        free: u32,
    },
    /// Seats chosen by hand that are not free.
    SeatsTaken(Vec<SeatIndex>),
    /// A seat or category that the installed map does not have.
    NoSuchSeat,
    /// The buyer has too many tickets.
    LimitReached {
        /// Tickets of the buyer's live orders.
        have: u32,
    },
    /// The gate is being filled: try again shortly.
    Loading,
    /// The gate has lost its memory, or runs on a server it was not filled on: fill it.
    Rebuild,
    /// The order number belongs to another order, or to one that has ended: take another.
    NumberInUse,
}

impl Gate {
    /// Holds seats for a buyer, or says why not. Repeated with the same order and nonce it answers `Held` again, with the same seats.
    pub async fn reserve(&self, wish: &Reserve) -> Result<Reserved, LinkError> {
        if wish.order.shard() != wish.program.shard {
            let number = wish.order.shard();
            let program = wish.program.shard;
            return Err(LinkError::Protocol(format!(
                "order {} is of shard {number}, its program of {program}",
                wish.order
            )));
        }
        let (mode, wanted) = match &wish.want {
            SeatSelection::Seats { seats, .. } => ("seats", seat_list(seats)),
            SeatSelection::Best { count, .. } => ("best", count.to_string()),
        };
        let (key, body_hash) = match &wish.idempotency {
            Some((key, hash)) => (key.as_str(), hash.as_str()),
            None => ("", ""),
        };
        let call = Call::new(&scripts::RESERVE, &self.head_key(wish.program))
            .arg(wish.order.to_string())
            .arg(wish.nonce.to_string())
            .arg(wish.user.as_str())
            .arg(wish.want.category().get())
            .arg(mode)
            .arg(wanted)
            .arg(wish.unit_price.get())
            .arg(wish.user_limit)
            .arg(key)
            .arg(body_hash)
            .arg(wish.publish_window_ms)
            .arg(wish.idem_ttl_ms)
            .arg(&wish.message_head)
            .arg(&wish.message_tail);
        let mut reply = self.link.run(call).await?;
        let word = reply.word()?;
        read(&word, &mut reply)
    }

    /// The order that a client's key named before, without holding anything new; nothing where it named none. For a wish that a new order
    /// would be refused to (the sale has stopped, the price is another): what was accepted before stays accepted.
    ///
    /// Answers only `Again`, `Ended`, `KeyReused`, `Loading` and `Rebuild`.
    pub async fn recall(
        &self,
        program: ProgramRef,
        user: &UserId,
        (key, body_hash): (&IdempotencyKey, &str),
        publish_window_ms: u64,
    ) -> Result<Option<Reserved>, LinkError> {
        let call = Call::new(&scripts::RECALL, &self.head_key(program))
            .arg(user.as_str())
            .arg(key.as_str())
            .arg(body_hash)
            .arg(publish_window_ms);
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "NONE" => Ok(None),
            word => read(word, &mut reply).map(Some),
        }
    }
}

fn read(word: &str, reply: &mut Reply) -> Result<Reserved, LinkError> {
    Ok(match word {
        "HELD" => {
            let (order, nonce) = parse_owner(&reply.word()?)?;
            let seats = parse_seats(&reply.word()?)?;
            let message = reply.word()?;
            Reserved::Held {
                order,
                nonce,
                seats,
                message,
                attempt: reply.parse()?,
            }
        }
        "AGAIN" => {
            let (order, nonce) = parse_owner(&reply.word()?)?;
            let (seats, message, attempt) =
                (parse_seats(&reply.word()?)?, reply.word()?, reply.parse()?);
            Reserved::Again {
                order,
                nonce,
                state: ResvState::read(reply)?,
                seats,
                message,
                attempt,
            }
        }
        "ENDED" => {
            let (order, nonce) = parse_owner(&reply.word()?)?;
            Reserved::Ended { order, nonce }
        }
        "KEYREUSED" => Reserved::KeyReused,
        "SOLDOUT" => Reserved::SoldOut,
        "NOTADJACENT" => Reserved::NotAdjacent {
            free: reply.parse()?,
        },
        "TAKEN" => Reserved::SeatsTaken(parse_seats(&reply.word()?)?),
        "NOSEAT" => Reserved::NoSuchSeat,
        "LIMIT" => Reserved::LimitReached {
            have: reply.parse()?,
        },
        "LOADING" => Reserved::Loading,
        "REBUILD" => Reserved::Rebuild,
        "INUSE" => Reserved::NumberInUse,
        other => return Err(reply.unexpected(other)),
    })
}
