//! References to orders and programs, and the states of a reservation.

use serde::{Deserialize, Serialize};

use crate::message::{Nonce, OrderNumber, OrderRequested, ProgramId, SeatIndex, Shard};
use crate::sale::Program;
use redis_link::{LinkError, Reply};

/// The delay queue with the timeout entry of each reservation, under the order's number.
pub const TIMEOUT_QUEUE: &str = "order-timeout";

/// A program and its shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramRef {
    /// Identity.
    pub id: ProgramId,
    /// The hash tag of its keys.
    pub shard: Shard,
}

impl From<&Program> for ProgramRef {
    fn from(program: &Program) -> Self {
        Self {
            id: program.id,
            shard: program.shard,
        }
    }
}

/// The program of an order: its shard is part of the number.
impl From<&OrderRequested> for ProgramRef {
    fn from(request: &OrderRequested) -> Self {
        Self {
            id: request.program,
            shard: request.order.shard(),
        }
    }
}

/// An order and its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderAt {
    /// Identity.
    pub order: OrderNumber,
    /// Distinguishes it from another order with the same number.
    pub nonce: Nonce,
    /// Its program.
    pub program: ProgramRef,
}

/// The body of a timeout entry; its id is the order number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeoutJob {
    /// The order's program.
    pub program: ProgramId,
    /// The order's nonce.
    pub nonce: Nonce,
}

impl TimeoutJob {
    /// The stored text. The scripts compare it, so it has exactly one spelling.
    pub fn body(&self) -> String {
        format!(
            r#"{{"program":"{}","nonce":"{}"}}"#,
            self.program, self.nonce
        )
    }

    /// Parses a claimed entry's body.
    pub fn parse(body: &str) -> Result<Self, serde_json::Error> {
        strict_json::from_str(body)
    }
}

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationState {
    /// Seats are held; the message may or may not be published.
    Held,
    /// The broker has the message, at this position.
    Accepted {
        /// Partition of order-create.
        partition: i32,
        /// Offset within it.
        offset: i64,
        /// When the broker appended it, milliseconds since 1970 by its clock.
        appended_ms: i64,
    },
    /// The message is not published again; a fence decides.
    Abandoning,
    /// Postgres has the order.
    Stored,
}

impl ReservationState {
    /// Two words of a reservation: state, and `partition:offset:appended`.
    pub(super) fn parse(state: &str, place: &str) -> Option<Self> {
        match state {
            "held" => Some(Self::Held),
            "abandoning" => Some(Self::Abandoning),
            "stored" => Some(Self::Stored),
            "accepted" => {
                let (partition, rest) = place.split_once(':')?;
                let (offset, appended) = rest.split_once(':')?;
                Some(Self::Accepted {
                    partition: partition.parse().ok()?,
                    offset: offset.parse().ok()?,
                    appended_ms: appended.parse().ok()?,
                })
            }
            _ => None,
        }
    }

    /// The two words of a reply.
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        let (state, place) = (reply.word()?, reply.word()?);
        Self::parse(&state, &place)
            .ok_or_else(|| reply.unexpected(&format!("a reservation in state {state:?}")))
    }
}

/// Seats in the format of the scripts: `3,4,5`.
pub(super) fn seat_list(seats: &[SeatIndex]) -> String {
    let seats: Vec<String> = seats.iter().map(SeatIndex::to_string).collect();
    seats.join(",")
}

pub(super) fn parse_seats(text: &str) -> Result<Vec<SeatIndex>, LinkError> {
    let one = |word: &str| word.parse().ok().and_then(|n| SeatIndex::new(n).ok());
    let seats: Option<Vec<SeatIndex>> = text
        .split(',')
        .filter(|word| !word.is_empty())
        .map(one)
        .collect();
    seats.ok_or_else(|| LinkError::Protocol(format!("the gate holds a seat list {text:?}")))
}

/// Parses an owner, `order:nonce`.
pub(super) fn parse_owner(text: &str) -> Result<(OrderNumber, Nonce), LinkError> {
    let parts = text
        .split_once(':')
        .and_then(|(order, nonce)| Some((order.parse().ok()?, nonce.parse().ok()?)));
    parts.ok_or_else(|| LinkError::Protocol(format!("the gate holds an owner {text:?}")))
}

/// Owners to the end of the reply.
pub(super) fn read_owners(
    reply: &mut Reply,
    owners: &mut Vec<(OrderNumber, Nonce)>,
) -> Result<(), LinkError> {
    while let Some(owner) = reply.next_word()? {
        owners.push(parse_owner(&owner)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_job_has_one_spelling() {
        let job = TimeoutJob {
            program: ProgramId::new(17).expect("valid"),
            nonce: Nonce::new([0xab; 16]),
        };
        assert_eq!(
            job.body(),
            format!(r#"{{"program":"17","nonce":"{}"}}"#, "ab".repeat(16))
        );
        assert_eq!(TimeoutJob::parse(&job.body()).expect("reads"), job);
    }

    #[test]
    fn a_damaged_seat_list_or_owner_is_an_error() {
        assert!(parse_seats("1,x").is_err());
        assert!(parse_seats("1,1000000").is_err());
        assert!(parse_owner("12").is_err());
        assert_eq!(parse_seats("").expect("empty"), vec![]);
    }
}
