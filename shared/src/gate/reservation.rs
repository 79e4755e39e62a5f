//! The text of a reservation, and the order's message that it stands for.

use crate::message::{
    BodyHash, CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, OrderRequested, ProgramId,
    SeatIndex, UserId,
};
use redis_link::LinkError;

use super::types::{ReservationState, parse_seats};

/// A stored reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its nonce.
    pub nonce: Nonce,
    /// Its program.
    pub program: ProgramId,
    /// The buyer.
    pub user: UserId,
    /// The category.
    pub category: CategoryNo,
    /// The seats.
    pub seats: Vec<SeatIndex>,
    /// Price of one ticket.
    pub unit_price: Cents,
    /// The client's key.
    pub key: Option<IdempotencyKey>,
    /// Its state.
    pub state: ReservationState,
    /// The encoded message; empty once stored.
    pub message: String,
}

/// What the message of an order has besides the words of its reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageRest<'a> {
    pub(super) pay_by_ms: i64,
    pub(super) hash: Option<BodyHash>,
    pub(super) trace: Option<&'a str>,
}

impl<'a> MessageRest<'a> {
    /// As stored: `pay_by hash trace`.
    pub(super) fn text(self) -> String {
        let hash = self.hash.map(|hash| hash.to_string()).unwrap_or_default();
        format!(
            "{} {hash} {}",
            self.pay_by_ms,
            self.trace.unwrap_or_default()
        )
    }

    fn parse(text: &'a str) -> Option<Self> {
        let (pay_by, rest) = text.split_once(' ')?;
        let (hash, trace) = rest.split_once(' ')?;
        Some(Self {
            pay_by_ms: pay_by.parse().ok()?,
            hash: match hash {
                "" => None,
                hash => Some(hash.parse().ok()?),
            },
            trace: Some(trace).filter(|trace| !trace.is_empty()),
        })
    }
}

/// The encoded message of an order; `None` if its amount is out of bounds.
pub(super) fn message(
    order: OrderNumber,
    reserved: &Reservation,
    rest: MessageRest<'_>,
) -> Option<String> {
    let amount = reserved.unit_price.times(reserved.seats.len()).ok()?;
    serde_json::to_string(&OrderRequested {
        v: 1,
        order,
        nonce: reserved.nonce,
        user: reserved.user.clone(),
        program: reserved.program,
        category: reserved.category,
        seats: reserved.seats.clone(),
        unit_price_cents: reserved.unit_price,
        amount_cents: amount,
        idempotency_key: reserved.key.clone(),
        idempotency_hash: rest.hash,
        pay_by_ms: rest.pay_by_ms,
        trace: rest.trace.map(str::to_owned),
    })
    .ok()
}

impl Reservation {
    /// Parses the text of the scripts (`lua/reservation.lua`).
    pub(super) fn read(order: OrderNumber, text: &str) -> Result<Self, LinkError> {
        Self::parse(order, text).ok_or_else(|| {
            LinkError::Protocol(format!(
                "the reservation of order {order} is damaged: {text:?}"
            ))
        })
    }

    fn parse(order: OrderNumber, text: &str) -> Option<Self> {
        let (line, rest) = text.split_once('\n')?;
        let words: Vec<&str> = line.split(' ').collect();
        let [
            state,
            _,
            place,
            nonce,
            program,
            category,
            price,
            seats,
            user,
            key,
        ] = words.try_into().ok()?;
        let mut reservation = Self {
            nonce: nonce.parse().ok()?,
            program: program.parse().ok()?,
            user: UserId::new(user).ok()?,
            category: CategoryNo::new(category.parse().ok()?).ok()?,
            seats: parse_seats(seats).ok()?,
            unit_price: Cents::new(price.parse().ok()?).ok()?,
            key: match key {
                "" => None,
                key => Some(IdempotencyKey::new(key).ok()?),
            },
            state: ReservationState::parse(state, place)?,
            message: String::new(),
        };
        // An earlier version stored the message itself, a JSON object.
        if rest.starts_with('{') {
            rest.clone_into(&mut reservation.message);
        } else if !rest.is_empty() {
            reservation.message = message(order, &reservation, MessageRest::parse(rest)?)?;
        }
        Some(reservation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Shard;

    fn order() -> OrderNumber {
        let shard = Shard::new(3).expect("valid");
        OrderNumber::compose(1_800_000_000_000, shard, 9).expect("valid")
    }

    fn text(state: &str, key: &str, rest: &str) -> String {
        let nonce = "ab".repeat(16);
        format!("{state} {nonce} 17 0 4200 3,4 \"ann\" {key}\n{rest}")
    }

    #[test]
    fn a_message_returns_as_it_was_sent() {
        for (key, hash, trace) in [
            ("click", Some(BodyHash::new([7; 32])), Some("00-aa-bb-01")),
            ("click", None, None),
            ("", None, Some("t")),
        ] {
            let rest = MessageRest {
                pay_by_ms: 1_800_000_900_000,
                hash,
                trace,
            };
            let sent = OrderRequested {
                v: 1,
                order: order(),
                nonce: Nonce::new([0xab; 16]),
                user: UserId::new("\"ann\"").expect("quotes are visible characters"),
                program: ProgramId::new(17).expect("valid"),
                category: CategoryNo::new(0).expect("valid"),
                seats: parse_seats("3,4").expect("valid"),
                unit_price_cents: Cents::new(4200).expect("valid"),
                amount_cents: Cents::new(8400).expect("valid"),
                idempotency_key: (!key.is_empty())
                    .then(|| IdempotencyKey::new(key).expect("valid")),
                idempotency_hash: hash,
                pay_by_ms: rest.pay_by_ms,
                trace: trace.map(str::to_owned),
            };
            let held = Reservation::read(order(), &text("held 2 ", key, &rest.text()));
            let held = held.expect("whole");
            assert_eq!(held.message, serde_json::to_string(&sent).expect("JSON"));
            assert_eq!(held.state, ReservationState::Held);
            assert_eq!(held.key, sent.idempotency_key);
        }
    }

    #[test]
    fn an_earlier_version_stored_the_message() {
        let json = r#"{"v":1,"user":"a b"}"#;
        let read = Reservation::read(order(), &text("accepted 1 3:7:99", "k", json));
        let read = read.expect("whole");
        assert_eq!(read.message, json);
        let state = ReservationState::Accepted {
            partition: 3,
            offset: 7,
            appended_ms: 99,
        };
        assert_eq!(read.state, state);
    }

    #[test]
    fn damaged_texts_are_errors() {
        let stored = text("stored 1 ", "k", "");
        assert_eq!(
            Reservation::read(order(), &stored).expect("whole").message,
            ""
        );
        for damaged in [
            String::new(),
            stored.replace("3,4", "3,x"),
            stored.replace("stored", "sold"),
            stored.replace("stored", "accepted"),
            text("held 1 ", "k", "soon  "),
            text("held 1 ", "k k", "1  "),
        ] {
            let read = Reservation::read(order(), &damaged);
            assert!(read.is_err(), "{damaged:?}: {read:?}");
        }
    }
}
