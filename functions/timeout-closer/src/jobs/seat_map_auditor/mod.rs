//! Compares the seat maps of the gate with Postgres, chunk by chunk, over all programs in turn.
//!
//! A sweep compares a bounded number of chunks. The position is stored in Postgres, so the next
//! sweep continues there in whichever process it runs, and every program gets its turn.

mod chunk;
mod position;

use shared::gate::{Gate, InstallState, ProgramRef, SeatsInstalled};
use shared::message::ProgramId;
use shared::sale::Category;
use shared::store::{ProgramSeats, Store};

use super::{JobError, Sweep};
use crate::closer::Closer;
use crate::report::SweepReport;

use chunk::ChunkAuditor;
use position::RoundPosition;

/// Name of this round's position in Postgres.
const ROUND: &str = "seats";

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let closer = sweep.closer;
    let start = closer.round_position(ROUND, RoundPosition::parse).await?;
    let mut round = Round {
        sweep,
        next: start,
        left: closer.settings.sweep_limit,
    };
    let mut outcome = round.resume(None).await;
    if matches!(outcome, Ok(Stop::LastProgram)) && start > RoundPosition::default() {
        round.next = RoundPosition::default();
        outcome = round.resume(Some(start)).await;
    }
    if matches!(outcome, Ok(Stop::LastProgram)) {
        round.next = RoundPosition::default();
    }
    let next = round.next.to_string();
    closer.store.note_sweep_position(ROUND, &next).await?;
    outcome.map(|_| ())
}

/// Compares one chunk with Postgres and repairs what differs, as the round does. Returns whether the
/// program is open in the gate; if not, nothing is compared.
///
/// # Errors
/// The first failure. What was repaired before stays.
pub async fn repair_chunk(
    gate: &Gate,
    store: &Store,
    seats: &ProgramSeats,
    category: &Category,
    chunk: u32,
) -> Result<bool, JobError> {
    let auditor = ChunkAuditor {
        gate,
        store,
        at: ProgramRef::from(&seats.program),
        seats,
        category,
        chunk,
    };
    auditor.compare(&mut SweepReport::default()).await
}

/// Why the round stops.
enum Stop {
    /// The last program has been compared.
    LastProgram,
    /// The sweep has compared its share, or its time is up.
    Limit,
}

struct Round<'a, 'b> {
    sweep: &'a mut Sweep<'b>,
    next: RoundPosition,
    left: u32,
}

impl Round<'_, '_> {
    /// Compares from the round's position up to `end`, or up to the last program. A program that
    /// fails does not stop the programs behind it. Returns the first error.
    async fn resume(&mut self, end: Option<RoundPosition>) -> Result<Stop, JobError> {
        let mut outcome = Ok(Stop::LastProgram);
        while self.may_continue(end) {
            let previous = ProgramId::new(self.next.program - 1).ok();
            let Some((id, shard)) = self
                .sweep
                .closer
                .store
                .programs_after(previous, 1)
                .await?
                .pop()
            else {
                return outcome;
            };
            if id.get() > self.next.program {
                self.next = RoundPosition {
                    program: id.get(),
                    ..RoundPosition::default()
                };
            }
            let before = *self.sweep.report;
            let compared = self.compare_program(ProgramRef { id, shard }, end).await;
            warn(id, before, *self.sweep.report);
            match compared {
                Ok(true) => {}
                Ok(false) => return outcome.map(|_| Stop::Limit),
                Err(error) => {
                    tracing::error!(
                        alarm = "seats_not_compared", program = %id, %error,
                        "a program's seats cannot be compared; the next round tries again"
                    );
                    outcome = outcome.and(Err(error));
                }
            }
            self.next = RoundPosition::after(id.get());
        }
        outcome.map(|_| Stop::Limit)
    }

    fn may_continue(&self, end: Option<RoundPosition>) -> bool {
        self.left > 0 && !self.sweep.is_over() && end.is_none_or(|end| self.next < end)
    }

    /// Compares one program from the round's position. Returns whether it reached the program's
    /// end.
    async fn compare_program(
        &mut self,
        at: ProgramRef,
        end: Option<RoundPosition>,
    ) -> Result<bool, JobError> {
        // A program that is closed or deleted takes one of the sweep's chunks, so that the number
        // of programs in a sweep is bounded as well.
        self.left = self.left.saturating_sub(1);
        let Closer { gate, store, .. } = self.sweep.closer;
        if gate.install_state(at).await? != InstallState::Open {
            return Ok(true);
        }
        let Some(seats) = store.program_seats(at.id).await? else {
            return Ok(true);
        };
        self.left += 1;
        if !self.add_seats(&seats).await? {
            return Ok(true);
        }
        let chunks = seats.program.categories.iter().flat_map(|category| {
            let chunks = 0..category.layout.chunks();
            chunks.map(move |chunk| (category, chunk))
        });
        for (category, chunk) in chunks {
            let position = RoundPosition {
                program: at.id.get(),
                category: category.no.get(),
                chunk,
            };
            if position < self.next {
                continue;
            }
            self.next = position;
            if !self.may_continue(end) {
                return Ok(false);
            }
            self.left -= 1;
            let auditor = ChunkAuditor {
                gate,
                store,
                at,
                seats: &seats,
                category,
                chunk,
            };
            if !auditor.compare(self.sweep.report).await? {
                return Ok(true);
            }
        }
        Ok(true)
    }
}

impl Round<'_, '_> {
    /// Adds the seats that the gate lacks. Returns whether its map can be compared with this version
    /// of the program.
    async fn add_seats(&mut self, seats: &ProgramSeats) -> Result<bool, JobError> {
        match self.sweep.closer.gate.add_seats(&seats.program).await? {
            SeatsInstalled::Done(changes) => {
                // Of a dirty program the gate may lack some.
                if !seats.dirty {
                    self.sweep.report.mended += u64::from(changes.added);
                }
                Ok(true)
            }
            // Changed since it was read.
            SeatsInstalled::Newer | SeatsInstalled::Absent => Ok(false),
        }
    }
}

/// Logs one line per program, however many of its chunks were repaired.
fn warn(program: ProgramId, before: SweepReport, after: SweepReport) {
    let mended = after.mended - before.mended;
    let recounted = after.recounted - before.recounted;
    if mended + recounted > 0 {
        tracing::warn!(
            %program, mended, recounted,
            "the gate contradicted Postgres or its own counters and was repaired"
        );
    }
}
