//! Reading the gate.

use std::collections::HashMap;

use redis::cmd;

use crate::message::{CategoryNo, Nonce, OrderNumber, SeatIndex, Shard};
use crate::sale::Category;
use redis_link::{Call, LinkError, Reply};

use super::connection::Gate;
use super::filling::InstallState;
use super::reservation::Reservation;
use super::types::{ProgramRef, parse_owner, parse_seats};
use super::{scripts, seat_rows};

/// The free seats of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Availability {
    /// The counts are valid only while the gate is open.
    pub state: InstallState,
    /// Free seats by category, ascending.
    pub free: Vec<(CategoryNo, u32)>,
}

/// A taken seat and its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The seat.
    pub seat: SeatIndex,
    /// The order that owns it.
    pub order: OrderNumber,
    /// That order's nonce.
    pub nonce: Nonce,
}

impl Taken {
    /// Seats and owners to the end of the reply.
    pub(super) fn read_all(reply: &mut Reply) -> Result<Vec<Self>, LinkError> {
        let mut taken = Vec::with_capacity(reply.remaining() / 2);
        while let Some(seat) = reply.next_word()? {
            let (order, nonce) = parse_owner(&reply.word()?)?;
            let seat = parse_seats(&seat)?.into_iter();
            taken.extend(seat.map(|seat| Self { seat, order, nonce }));
        }
        Ok(taken)
    }
}

/// A page of taken seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPage {
    /// Every seat that stays taken is on a page; some may be on two.
    pub taken: Vec<Taken>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<u64>,
}

impl Gate {
    /// The reservation of an order number, under any nonce.
    pub async fn reservation(&self, order: OrderNumber) -> Result<Option<Reservation>, LinkError> {
        let call = self.reservation_call(order.shard(), order);
        let mut reply = self.link.run(call).await?;
        if reply.remaining() == 0 {
            return Ok(None);
        }
        Reservation::read(order, &reply.word()?).map(Some)
    }

    /// The reservations of order numbers in one round trip, in their order. One that is damaged is an
    /// error of its own.
    pub async fn reservations(
        &self,
        orders: &[OrderNumber],
    ) -> Result<Vec<Result<Option<Reservation>, LinkError>>, LinkError> {
        let calls = orders
            .iter()
            .map(|order| self.reservation_call(order.shard(), *order));
        let replies = self.link.run_all(calls.collect()).await?;
        let read = |(order, reply): (&OrderNumber, Result<Reply, LinkError>)| {
            let mut reply = reply?;
            match reply.next_word()? {
                None => Ok(None),
                Some(text) => Reservation::read(*order, &text).map(Some),
            }
        };
        Ok(orders.iter().zip(replies).map(read).collect())
    }

    /// Reads the reservation of an order number.
    pub(super) fn reservation_call(&self, shard: Shard, order: OrderNumber) -> Call {
        let key = self.names.shard_key(shard, format_args!("resv:{order}"));
        Call::new(&scripts::RESERVATION, &key)
    }

    /// The state of a program in the gate.
    pub async fn install_state(&self, program: ProgramRef) -> Result<InstallState, LinkError> {
        Ok(self.head(program).await?.0)
    }

    /// The free seats; `None` if the program is not installed.
    pub async fn availability(
        &self,
        program: ProgramRef,
    ) -> Result<Option<Availability>, LinkError> {
        let (state, fields) = self.head(program).await?;
        if state == InstallState::Absent {
            return Ok(None);
        }
        let count = |(name, value): (&String, &String)| {
            let no = name
                .strip_prefix("free:")?
                .parse()
                .ok()
                .and_then(|no| CategoryNo::new(no).ok())?;
            Some((no, value.parse().ok()?))
        };
        let mut free: Vec<(CategoryNo, u32)> = fields.iter().filter_map(count).collect();
        free.sort_unstable();
        Ok(Some(Availability { state, free }))
    }

    /// The seats of a category row by row, one byte for each seat (`0` free, `1` taken, `2`
    /// blocked, `4` taken, and blocked as soon as it is freed); `None` if it is not installed.
    pub async fn seat_map(
        &self,
        program: ProgramRef,
        category: &Category,
    ) -> Result<Option<Vec<Vec<u8>>>, LinkError> {
        let mut command = cmd("MGET");
        for chunk in 0..category.layout.chunks() {
            command.arg(self.program_key(program, format_args!("seats:{}:{chunk}", category.no)));
        }
        let mut reply = self.link.read_one("seat_map", command).await?;
        Ok(seat_rows::rows(category.layout, || reply.bytes()))
    }

    /// A page of the taken seats, from `from`: 0 first, then [`TakenPage::next`].
    pub async fn taken(&self, program: ProgramRef, from: u64) -> Result<TakenPage, LinkError> {
        let mut command = cmd("HSCAN");
        command
            .arg(self.program_key(program, "owner"))
            .arg(from)
            .arg("COUNT")
            .arg(1000);
        let mut reply = self.link.read_one("taken", command).await?;
        let next: u64 = reply.parse()?;
        let mut pairs = reply.nested()?;
        Ok(TakenPage {
            taken: Taken::read_all(&mut pairs)?,
            next: (next != 0).then_some(next),
        })
    }

    /// The owners of seats, in their order; `None` for a seat without one.
    pub async fn owners(
        &self,
        program: ProgramRef,
        seats: &[SeatIndex],
    ) -> Result<Vec<Option<(OrderNumber, Nonce)>>, LinkError> {
        if seats.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("HMGET");
        command.arg(self.program_key(program, "owner"));
        for seat in seats {
            command.arg(seat.get());
        }
        let mut reply = self.link.read_one("owners", command).await?;
        let owner = |text: String| match text.as_str() {
            "" => Ok(None),
            owner => parse_owner(owner).map(Some),
        };
        seats.iter().map(|_| owner(reply.word()?)).collect()
    }

    /// The longest runs of free seats of a category, a character for each chunk, as lua/seats.lua
    /// describes them; empty if they are missing.
    pub async fn longest_runs(
        &self,
        program: ProgramRef,
        category: CategoryNo,
    ) -> Result<String, LinkError> {
        let mut command = cmd("GET");
        command.arg(self.program_key(program, format_args!("longest:{category}")));
        let mut reply = self.link.read_one("longest_runs", command).await?;
        Ok(reply.next_word()?.unwrap_or_default())
    }

    async fn head(
        &self,
        program: ProgramRef,
    ) -> Result<(InstallState, HashMap<String, String>), LinkError> {
        let mut reply = self
            .link
            .run(Call::new(&scripts::LOOK, &self.head_key(program)))
            .await?;
        let now_ms: u64 = reply.parse()?;
        let replid = reply.word()?;
        let fields = pairs(&mut reply)?;
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        let state = match field("state") {
            "" => InstallState::Absent,
            _ if field("replid") != replid => InstallState::Replaced,
            "open" => InstallState::Open,
            _ => InstallState::Loading {
                ends: field("ends").to_owned(),
                lease_left_ms: field("lease")
                    .parse::<u64>()
                    .unwrap_or(0)
                    .saturating_sub(now_ms),
            },
        };
        Ok((state, fields))
    }
}

fn pairs(reply: &mut Reply) -> Result<HashMap<String, String>, LinkError> {
    let mut fields = HashMap::with_capacity(reply.remaining() / 2);
    while let Some(name) = reply.next_word()? {
        fields.insert(name, reply.word()?);
    }
    Ok(fields)
}
