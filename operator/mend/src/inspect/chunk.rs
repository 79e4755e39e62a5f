//! A chunk of a seat map: its seats, owners and counts, then the rows.
//!
//! The chunk is read in several requests. While buyers order, a difference may be shown that is
//! none; the repair compares the chunk again, in one step.

use std::collections::BTreeSet;

use anyhow::Result;
use shared::gate::{InstallState, OrderAt, ProgramRef, Taken};
use shared::message::{CategoryNo, OrderNumber, SeatIndex};
use shared::sale::{Category, Program, SeatPlace};
use shared::steps::differences;

use super::Inspector;
use crate::plan::Action;

const FREE: u8 = b'0';
/// The second one is blocked as soon as its order frees it.
const TAKEN: [u8; 2] = [b'1', b'4'];
/// Free ones, and those that an order still has.
const BLOCKED: [u8; 2] = [b'2', b'4'];
/// Longer runs have the letter of this one, as in the gate's scripts.
const MAX_RUN: usize = 20;
const FILLING: &str = "the program is not open in the gate: it is being filled, which continues by \
    itself (runbook: GatesFilling)";
const DAMAGED: &str = "the stored map has another size than the program's layout";

impl Inspector<'_> {
    /// `None` for the last chunk.
    pub(super) async fn chunk(
        &mut self,
        program: &Program,
        category: CategoryNo,
        chunk: Option<u32>,
    ) -> Result<()> {
        let at = ProgramRef::from(program);
        if self.gate.install_state(at).await? != InstallState::Open {
            let found = format!("program {}", program.id);
            self.found.refuse("L5", found, FILLING);
            return Ok(());
        }
        let Some(category) = program.category(category) else {
            return Ok(());
        };
        let last = category.layout.chunks() - 1;
        let chunk = chunk.unwrap_or(last).min(last);
        let plan = ChunkPlan {
            program,
            category,
            chunk,
        };
        let Some(rows) = self.gate.seat_map(at, category).await? else {
            let change = format!("{DAMAGED}; the next request fills the program again");
            self.plan_chunk(&plan, "S4", "the map", change);
            return Ok(());
        };
        let Some(stored) = self.store.program_seats(program.id).await? else {
            return Ok(());
        };
        let map: Vec<u8> = rows.concat();
        let seats = plan.seats();
        let owners = self.gate.owners(at, &seats).await?;
        let first = category.layout.first().get();
        let mut taken = Vec::new();
        for (seat, owner) in seats.iter().zip(&owners) {
            let byte = map.get((seat.get() - first) as usize).copied();
            let blocked = byte.is_some_and(|byte| BLOCKED.contains(&byte));
            if blocked != stored.blocked.contains(*seat) {
                let change = if blocked {
                    "is unblocked"
                } else {
                    "is blocked"
                };
                let change = format!("it {change}, as PostgreSQL says");
                self.plan_chunk(&plan, "S8", &format!("seat {seat}"), change);
            }
            match (byte.is_some_and(|byte| TAKEN.contains(&byte)), owner) {
                (true, None) => {
                    let change = "taken without an owner: it is freed if neither a row nor a \
                                  reservation holds it";
                    self.plan_chunk(&plan, "S4", &format!("seat {seat}"), change.to_owned());
                }
                (false, Some(_)) => {
                    let change = "it has an owner: it becomes taken".to_owned();
                    self.plan_chunk(&plan, "S4", &format!("seat {seat}"), change);
                }
                _ => {}
            }
            taken.extend(owner.map(|(order, nonce)| Taken {
                seat: *seat,
                order,
                nonce,
            }));
        }
        self.counts(&plan, &rows).await?;
        self.against_rows(&plan, &seats, &taken).await
    }

    /// The longest run of the chunk, and with the last chunk the free count of the category.
    async fn counts(&mut self, plan: &ChunkPlan<'_>, rows: &[Vec<u8>]) -> Result<()> {
        let layout = plan.category.layout;
        let at = ProgramRef::from(plan.program);
        let runs = |rows: &[Vec<u8>]| {
            let runs = rows.iter().flat_map(|row| row.split(|byte| *byte != FREE));
            runs.map(<[u8]>::len).max().unwrap_or(0)
        };
        let per_chunk = layout.chunk_rows() as usize;
        let of_chunk = rows.chunks(per_chunk).nth(plan.chunk as usize);
        let counted = b'A' + of_chunk.map_or(0, runs).min(MAX_RUN) as u8;
        let longest = self.gate.longest_runs(at, plan.category.no).await?;
        if longest.as_bytes().get(plan.chunk as usize) != Some(&counted) {
            let change = "the longest run is counted again".to_owned();
            self.plan_chunk(plan, "S4", &format!("chunk {}", plan.chunk), change);
        }
        if plan.chunk + 1 < layout.chunks() {
            return Ok(());
        }
        let free = rows.iter().flatten().filter(|byte| **byte == FREE).count() as u32;
        let kept = self.gate.availability(at).await?;
        let kept = kept.and_then(|kept| {
            kept.free
                .into_iter()
                .find(|(no, _)| *no == plan.category.no)
        });
        if kept.map(|(_, kept)| kept) != Some(free) {
            let change = format!("the free count becomes {free}");
            self.plan_chunk(plan, "S4", "the free count", change);
        }
        Ok(())
    }

    async fn against_rows(
        &mut self,
        plan: &ChunkPlan<'_>,
        seats: &[SeatIndex],
        taken: &[Taken],
    ) -> Result<()> {
        let (Some(first), Some(last)) = (seats.first(), seats.last()) else {
            return Ok(());
        };
        let (program, at) = (plan.program, ProgramRef::from(plan.program));
        let holders = self.store.holders(program.id, *first, *last).await?;
        let owners = taken.iter().map(|taken| taken.order);
        let numbers: BTreeSet<OrderNumber> = owners.chain(holders).collect();
        let numbers: Vec<OrderNumber> = numbers.into_iter().collect();
        let rows = self.rows(&numbers).await?;
        let found = differences(program.id, &(*first..=*last), taken, &rows);
        let strays = found.stray.iter().filter_map(|release| release.owner);
        let owners = found.unknown.iter().copied();
        let owners = owners.chain(found.ended.keys().copied()).chain(strays);
        let owners: BTreeSet<_> = owners.collect();
        for (order, nonce) in owners {
            let at = OrderAt {
                order,
                nonce,
                program: at,
            };
            self.holder(program, at).await?;
        }
        for order in found.settle.keys() {
            self.order(*order).await?;
        }
        Ok(())
    }

    fn plan_chunk(
        &mut self,
        plan: &ChunkPlan<'_>,
        number: &'static str,
        what: &str,
        change: String,
    ) {
        let ChunkPlan {
            program,
            category,
            chunk,
        } = *plan;
        let subject = format!("program {} category {} {what}", program.id, category.no);
        let action = Action::Chunk {
            program: program.id,
            category: category.no,
            chunk,
        };
        self.found.plan(number, subject, change, action);
    }
}

/// A chunk that is compared.
#[derive(Clone, Copy)]
struct ChunkPlan<'a> {
    program: &'a Program,
    category: &'a Category,
    chunk: u32,
}

impl ChunkPlan<'_> {
    fn seats(&self) -> Vec<SeatIndex> {
        let (layout, chunk) = (self.category.layout, self.chunk);
        let offsets = 0..layout.chunk_seats(chunk);
        let seat = |offset| layout.seat(SeatPlace { chunk, offset });
        offsets.filter_map(seat).collect()
    }
}
