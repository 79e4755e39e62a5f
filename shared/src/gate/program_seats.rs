//! The seats that a program has, and those of them that are blocked, as Postgres says.

use std::ops::RangeInclusive;

use crate::message::SeatIndex;
use crate::sale::{Category, Program, SeatPlace, SeatRanges};
use redis_link::{Call, LinkError, Reply};

use super::connection::Gate;
use super::install::layout_text;
use super::scripts;
use super::types::{ProgramRef, parse_seats};

/// Chunks of one round trip. Each is a step of its own for Redis.
const GROUP: usize = 32;

/// What the gate did with the seats of a program, or of one chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatsInstalled {
    /// The map has the program's seats, and its blocked ones are blocked.
    Done(SeatChanges),
    /// The map is of a newer version. Read the program again.
    Newer,
    /// The program is not in the gate, or its map is damaged: it will be filled.
    Absent,
}

/// Changes of a map.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeatChanges {
    /// Seats that the map lacked; they are free.
    pub added: u32,
    /// Seats that were blocked or unblocked.
    pub changed: u32,
    /// Blocked seats that orders have. Each is blocked when its order frees it.
    pub held: Vec<SeatIndex>,
}

/// The seats of a chunk; `None` if the category has no such chunk.
pub fn chunk_seats(category: &Category, chunk: u32) -> Option<RangeInclusive<SeatIndex>> {
    let layout = category.layout;
    let last = layout.chunk_seats(chunk).checked_sub(1)?;
    let seat = |offset| layout.seat(SeatPlace { chunk, offset });
    Some(seat(0)?..=seat(last)?)
}

impl Gate {
    /// Adds the seats that the map lacks, and blocks exactly `blocked`. Several steps: an order may
    /// be reserved in between, and keeps its seats. Idempotent. The map may be open or being filled.
    pub async fn install_seats(
        &self,
        program: &Program,
        blocked: &SeatRanges,
    ) -> Result<SeatsInstalled, LinkError> {
        let mut changes = match self.add_seats(program).await? {
            SeatsInstalled::Done(changes) => changes,
            other => return Ok(other),
        };
        let mut calls = Vec::new();
        for category in &program.categories {
            for chunk in 0..category.layout.chunks() {
                calls.push(self.block_call(program, category, chunk, blocked));
            }
        }
        while !calls.is_empty() {
            let rest = calls.split_off(calls.len().min(GROUP));
            for reply in self.link.run_all(calls).await? {
                match read_block(reply?)? {
                    SeatsInstalled::Done(more) => {
                        changes.changed += more.changed;
                        changes.held.extend(more.held);
                    }
                    other => return Ok(other),
                }
            }
            calls = rest;
        }
        Ok(SeatsInstalled::Done(changes))
    }

    /// Adds the seats that the map lacks.
    pub async fn add_seats(&self, program: &Program) -> Result<SeatsInstalled, LinkError> {
        let mut call = Call::new(&scripts::INSTALL_GROW, &self.head_key(program.into()))
            .arg(program.version.get());
        for category in &program.categories {
            call.push(category.no.get());
            call.push(layout_text(category.layout));
        }
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "DONE" => Ok(SeatsInstalled::Done(SeatChanges {
                added: reply.parse()?,
                ..SeatChanges::default()
            })),
            "STALE" => Ok(SeatsInstalled::Newer),
            "ABSENT" => Ok(SeatsInstalled::Absent),
            "DIFFERS" => {
                let category = reply.word()?;
                tracing::error!(
                    alarm = "gate_map_damaged", program = %program.id, category,
                    "the gate's seat map is not the program's; the next request fills it again"
                );
                Ok(SeatsInstalled::Absent)
            }
            other => Err(reply.unexpected(other)),
        }
    }

    /// Blocks exactly those seats of a chunk that are in `blocked`.
    pub async fn block_chunk(
        &self,
        program: &Program,
        category: &Category,
        chunk: u32,
        blocked: &SeatRanges,
    ) -> Result<SeatsInstalled, LinkError> {
        let call = self.block_call(program, category, chunk, blocked);
        read_block(self.link.run(call).await?)
    }

    fn block_call(
        &self,
        program: &Program,
        category: &Category,
        chunk: u32,
        blocked: &SeatRanges,
    ) -> Call {
        let seats = chunk_seats(category, chunk);
        let blocked = seats.map_or_else(SeatRanges::default, |seats| blocked.within(&seats));
        Call::new(&scripts::BLOCK, &self.head_key(ProgramRef::from(program)))
            .arg(program.version.get())
            .arg(category.no.get())
            .arg(chunk)
            .arg(blocked.to_string())
    }
}

fn read_block(mut reply: Reply) -> Result<SeatsInstalled, LinkError> {
    match reply.word()?.as_str() {
        "DONE" => Ok(SeatsInstalled::Done(SeatChanges {
            added: 0,
            changed: reply.parse()?,
            held: parse_seats(&reply.word()?)?,
        })),
        "STALE" => Ok(SeatsInstalled::Newer),
        "ABSENT" => Ok(SeatsInstalled::Absent),
        other => Err(reply.unexpected(other)),
    }
}
