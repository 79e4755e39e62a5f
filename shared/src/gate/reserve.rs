//! Reserving seats for a buyer.

use crate::message::{
    BodyHash, Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, SeatIndex, UserId,
};
use crate::sale::SeatSelection;
use redis_link::{Call, LinkError, Reply};

use super::connection::Gate;
use super::reservation::{MessageRest, Reservation, message};
use super::scripts;
use super::types::{ProgramRef, ReservationState, parse_owner, parse_seats, seat_list};

/// A request for seats. The caller has checked the bounds of the selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRequest {
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
    /// How many live tickets of this program the buyer may have.
    pub user_limit: u32,
    /// The client's key, and the hash of the request's body: a key with another body is refused.
    pub idempotency: Option<(IdempotencyKey, BodyHash)>,
    /// When the timeout entry of an unpublished reservation is due, ms.
    pub publish_window_ms: u64,
    /// Lifetime of the client's key, ms.
    pub idem_ttl_ms: u64,
    /// End of the promised time to pay, ms since 1970, for the message.
    pub pay_by_ms: i64,
    /// W3C traceparent of the request, for the message: visible characters.
    pub trace: Option<String>,
}

impl HoldRequest {
    /// Reserves the chosen seats of an order whose message is known: its reservation has the words
    /// of this message. Times are in ms, as in the fields of the same names.
    pub fn of_message(
        message: &OrderRequested,
        user_limit: u32,
        publish_window_ms: u64,
        idem_ttl_ms: u64,
    ) -> Self {
        let key = message.idempotency_key.clone();
        Self {
            program: ProgramRef::from(message),
            order: message.order,
            nonce: message.nonce,
            user: message.user.clone(),
            want: SeatSelection::Seats {
                category: message.category,
                seats: message.seats.clone(),
            },
            unit_price: message.unit_price_cents,
            user_limit,
            idempotency: key.zip(message.idempotency_hash),
            publish_window_ms,
            idem_ttl_ms,
            pay_by_ms: message.pay_by_ms,
            trace: message.trace.clone(),
        }
    }
}

/// What became of a request. Only `Held` and `Again` mean that seats are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    /// The order has the seats.
    Held {
        /// The requested order.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
        /// Its seats, ascending.
        seats: Vec<SeatIndex>,
        /// The message to publish.
        message: String,
    },
    /// The client's key belongs to an earlier order. If it is still held, the caller now has a new
    /// publish window, and the message to publish again.
    Again {
        /// The earlier order.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
        /// Its state.
        state: ReservationState,
        /// Its seats.
        seats: Vec<SeatIndex>,
        /// Its message; empty once stored.
        message: String,
    },
    /// The client's key belongs to an earlier order whose reservation has ended; its row in
    /// Postgres has the result.
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
    /// No row has so many adjacent free seats.
    NotAdjacent {
        /// Free seats of the category.
        free: u32,
    },
    /// Chosen seats that are not for sale.
    SeatsBlocked(Vec<SeatIndex>),
    /// Chosen seats that other orders have.
    SeatsTaken(Vec<SeatIndex>),
    /// A seat or category that the installed map lacks.
    NoSuchSeat,
    /// The buyer has too many tickets.
    LimitReached {
        /// Tickets of the buyer's live orders.
        have: u32,
    },
    /// The gate is being filled: try again shortly.
    Loading,
    /// The gate has lost its data, or was filled on another server: fill it.
    Rebuild,
    /// The order number belongs to another order, live or ended: use another number.
    NumberInUse,
}

impl Gate {
    /// Reserves seats for a buyer. Repeated with the same order and nonce it returns `Held` with
    /// the same seats.
    pub async fn reserve(&self, request: &HoldRequest) -> Result<Reserved, LinkError> {
        if request.order.shard() != request.program.shard {
            let number = request.order.shard();
            let program = request.program.shard;
            return Err(LinkError::Protocol(format!(
                "order {} is of shard {number}, its program of {program}",
                request.order
            )));
        }
        let (mode, seats) = match &request.want {
            SeatSelection::Seats { seats, .. } => ("seats", seat_list(seats)),
            SeatSelection::Best { count, .. } => ("best", count.to_string()),
        };
        let (key, body_hash) = match &request.idempotency {
            Some((key, hash)) => (key.as_str(), hash.to_string()),
            None => ("", String::new()),
        };
        let rest = MessageRest {
            pay_by_ms: request.pay_by_ms,
            hash: request.idempotency.as_ref().map(|(_, hash)| *hash),
            trace: request.trace.as_deref(),
        };
        let call = Call::new(&scripts::RESERVE, &self.head_key(request.program))
            .arg(request.order.to_string())
            .arg(request.nonce.to_string())
            .arg(request.user.as_str())
            .arg(request.want.category().get())
            .arg(mode)
            .arg(seats)
            .arg(format!(
                "{} {} {} {}",
                request.unit_price.get(),
                request.user_limit,
                request.publish_window_ms,
                request.idem_ttl_ms
            ))
            .arg(key)
            .arg(body_hash)
            .arg(rest.text());
        let mut reply = self.link.run(call).await?;
        let word = reply.word()?;
        if word != "NEW" {
            return read(&word, &mut reply);
        }
        let reserved = Reservation {
            nonce: request.nonce,
            program: request.program.id,
            user: request.user.clone(),
            category: request.want.category(),
            seats: parse_seats(&reply.word()?)?,
            unit_price: request.unit_price,
            key: request.idempotency.as_ref().map(|(key, _)| key.clone()),
            state: ReservationState::Held,
            message: String::new(),
        };
        let message = message(request.order, &reserved, rest)
            .ok_or_else(|| reply.unexpected("seats whose price is out of bounds"))?;
        Ok(Reserved::Held {
            order: request.order,
            nonce: request.nonce,
            message,
            seats: reserved.seats,
        })
    }

    /// Finds the earlier order of a client's key without reserving seats; `None` if the key is new.
    /// For requests whose new order would be refused (the sale has stopped, the price has changed):
    /// an order accepted before stays accepted.
    ///
    /// Returns only `Again`, `Ended`, `KeyReused`, `Loading` and `Rebuild`.
    pub async fn recall(
        &self,
        program: ProgramRef,
        user: &UserId,
        (key, body_hash): (&IdempotencyKey, BodyHash),
        publish_window_ms: u64,
    ) -> Result<Option<Reserved>, LinkError> {
        let call = Call::new(&scripts::RECALL, &self.head_key(program))
            .arg(user.as_str())
            .arg(key.as_str())
            .arg(body_hash.to_string())
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
        "HELD" | "AGAIN" => {
            let (order, nonce) = parse_owner(&reply.word()?)?;
            let Reservation {
                state,
                seats,
                message,
                ..
            } = Reservation::read(order, &reply.word()?)?;
            if word == "HELD" {
                Reserved::Held {
                    order,
                    nonce,
                    seats,
                    message,
                }
            } else {
                Reserved::Again {
                    order,
                    nonce,
                    state,
                    seats,
                    message,
                }
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
        "BLOCKED" => Reserved::SeatsBlocked(parse_seats(&reply.word()?)?),
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
