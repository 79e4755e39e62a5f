//! The waiting room of a program: places in the order of arrival, and admissions.
//!
//! It is on the gate's Redis, so that a program never has one of the two without the other. What
//! Redis loses are places and admissions: buyers join again. No seat depends on them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::message::{BadValue, UserId};
use crate::sale::{CREDIT_MS, Round, RoundState};
use redis_link::{Call, LinkError, Reply};

use super::connection::Gate;
use super::scripts;
use super::types::ProgramRef;
use super::waiting::ms;

/// How long an unused room stays beyond the longest place.
const SLACK: Duration = Duration::from_mins(1);

/// Times and size of waiting rooms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomLimits {
    /// A place lapses if its buyer does not look for so long.
    pub patience: Duration,
    /// How long an admission is valid.
    pub admission: Duration,
    /// Maximum number of buyers who wait for one program.
    pub places: u32,
}

impl RoomLimits {
    fn unused_ms(self) -> u64 {
        ms(self.patience.max(self.admission) + SLACK)
    }
}

/// Names a place: the generation of the room, which is random, and the number of the place in it.
/// It is no secret: a place belongs to its buyer, and a ticket of another buyer leads to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomTicket {
    generation: u64,
    number: u64,
}

impl fmt::Display for RoomTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.generation, self.number)
    }
}

impl FromStr for RoomTicket {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let read = || {
            let (generation, number) = text.split_once('-')?;
            let ticket = Self {
                generation: u64::from_str_radix(generation, 16).ok()?,
                number: number.parse().ok()?,
            };
            (ticket.to_string() == text).then_some(ticket)
        };
        read().ok_or(BadValue {
            what: "ticket",
            rule: "the one that joining the waiting room answered, unchanged",
        })
    }
}

/// A round of admission that a caller has been granted: it decides it, then ends it with
/// [`Gate::room_admit`]. No other caller is granted one for a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GrantedRound {
    generation: u64,
    /// What the rule decides by.
    pub state: RoundState,
}

/// Where a buyer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomPlace {
    /// In the room.
    Waiting {
        /// Names the place.
        ticket: RoomTicket,
        /// 1 is the first.
        position: u64,
        /// The latest round has admitted no buyer because order-create is behind.
        paused: bool,
        /// A round that this caller ends.
        round: Option<GrantedRound>,
    },
    /// May order.
    Admitted {
        /// Names the place.
        ticket: RoomTicket,
        /// For so long.
        valid: Duration,
    },
    /// All places are taken.
    Full,
    /// The buyer has no such place: it has lapsed or was lost, or the ticket is of another one.
    None,
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundEnd {
    /// Buyers whom it admitted.
    pub admitted: u32,
    /// Buyers who wait.
    pub waiting: u32,
}

impl Gate {
    /// Takes a place behind all others, or returns the buyer's. `random` names the room if it is
    /// new. `may_admit`: whether the caller would run a round.
    pub async fn room_join(
        &self,
        program: ProgramRef,
        user: &UserId,
        limits: RoomLimits,
        random: u64,
        may_admit: bool,
    ) -> Result<RoomPlace, LinkError> {
        let call = Call::new(&scripts::ROOM_JOIN, &self.room_key(program))
            .arg(user.as_str())
            .arg(format!("{random:016x}"))
            .arg(ms(limits.patience))
            .arg(limits.places)
            .arg(limits.unused_ms())
            .arg(CREDIT_MS)
            .arg(u8::from(may_admit));
        place(self.link.run(call).await?)
    }

    /// Looks at a place, and keeps it from lapsing.
    pub async fn room_look(
        &self,
        program: ProgramRef,
        user: &UserId,
        ticket: RoomTicket,
        limits: RoomLimits,
        may_admit: bool,
    ) -> Result<RoomPlace, LinkError> {
        let call = Call::new(&scripts::ROOM_LOOK, &self.room_key(program))
            .arg(user.as_str())
            .arg(format!("{:016x}", ticket.generation))
            .arg(ticket.number)
            .arg(ms(limits.patience))
            .arg(limits.unused_ms())
            .arg(u8::from(may_admit));
        place(self.link.run(call).await?)
    }

    /// Ends a round. `None`: another round has been ended since this one was granted.
    pub async fn room_admit(
        &self,
        program: ProgramRef,
        granted: GrantedRound,
        decided: Round,
        limits: RoomLimits,
    ) -> Result<Option<RoundEnd>, LinkError> {
        let call = Call::new(&scripts::ROOM_ADMIT, &self.room_key(program))
            .arg(format!("{:016x}", granted.generation))
            .arg(granted.state.credit_ms)
            .arg(decided.admitted)
            .arg(decided.credit_ms)
            .arg(decided.read.map_or_else(String::new, |n| n.to_string()))
            .arg(decided.moved_ms)
            .arg(if decided.paused { "1" } else { "" })
            .arg(ms(limits.admission))
            .arg(limits.unused_ms());
        let mut reply = self.link.run(call).await?;
        let word = reply.word()?;
        if word == "STALE" {
            return Ok(None);
        }
        let admitted: u32 = word
            .parse()
            .map_err(|_| reply.unexpected("no number of admitted buyers"))?;
        let waiting = reply.parse()?;
        Ok(Some(RoundEnd { admitted, waiting }))
    }

    /// For how long a buyer's admission is still valid; `None`: the buyer is not admitted.
    pub async fn room_admission(
        &self,
        program: ProgramRef,
        user: &UserId,
    ) -> Result<Option<Duration>, LinkError> {
        let key = self.room_key(program);
        let call = Call::new(&scripts::ROOM_ADMISSION, &key).arg(user.as_str());
        let valid: u64 = self.link.run(call).await?.parse()?;
        Ok((valid > 0).then(|| Duration::from_millis(valid)))
    }

    fn room_key(&self, program: ProgramRef) -> String {
        self.program_key(program, "room")
    }
}

fn place(mut reply: Reply) -> Result<RoomPlace, LinkError> {
    let word = reply.word()?;
    let ticket = match word.as_str() {
        "FULL" => return Ok(RoomPlace::Full),
        "NONE" => return Ok(RoomPlace::None),
        "WAITING" | "ADMITTED" => RoomTicket {
            generation: generation(&mut reply)?,
            number: reply.parse()?,
        },
        other => return Err(reply.unexpected(other)),
    };
    if word == "ADMITTED" {
        let valid = Duration::from_millis(reply.parse()?);
        return Ok(RoomPlace::Admitted { ticket, valid });
    }
    let position = reply.parse()?;
    let waiting = reply.parse()?;
    let paused = !reply.word()?.is_empty();
    let is_granted = reply.parse::<u8>()? == 1;
    let state = RoundState {
        now_ms: reply.parse()?,
        credit_ms: reply.parse()?,
        read: reply.parse_optional()?,
        moved_ms: reply.parse()?,
        waiting,
    };
    let generation = ticket.generation;
    Ok(RoomPlace::Waiting {
        ticket,
        position,
        paused,
        round: is_granted.then_some(GrantedRound { generation, state }),
    })
}

fn generation(reply: &mut Reply) -> Result<u64, LinkError> {
    let word = reply.word()?;
    u64::from_str_radix(&word, 16).map_err(|_| reply.unexpected("a generation that is no word"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_reads_back_and_other_text_is_refused() {
        let ticket = RoomTicket {
            generation: 0xab,
            number: 7,
        };
        assert_eq!(ticket.to_string(), "00000000000000ab-7");
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
        for bad in [
            "",
            "-",
            "ab-7",
            "00000000000000AB-7",
            "00000000000000ab-07",
            "00000000000000ab-+7",
            "00000000000000ab--7",
            "00000000000000ab-7 ",
            "+0000000000000ab-7",
        ] {
            assert!(bad.parse::<RoomTicket>().is_err(), "{bad:?}");
        }
    }
}
