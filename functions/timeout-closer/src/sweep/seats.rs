//! All programs' seats, chunk by chunk, in turn: a sweep goes on where the last one stopped, in whatever process that ran. So every program
//! has its turn, however many and however large they are, and a sweep takes a bounded time.

use std::time::Instant;

use shared::gate::{Gate, InstallState, ProgramRef};
use shared::message::ProgramId;
use shared::sale::Program;
use shared::store::Store;

use super::chunk::{self, Place};
use super::position::Position;
use super::{SweepError, Swept};

/// The name of this round's position in Postgres.
const ROUND: &str = "seats";

/// One sweep over the seats: at most `limit` chunks, each at most once; none is begun after `until`.
pub(super) async fn compare(
    gate: &Gate,
    store: &Store,
    limit: u32,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let noted = store.sweep_position(ROUND).await?;
    // Only a hint: the round begins again where it cannot be read.
    let start: Position = noted
        .as_deref()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let mut round = Round {
        gate,
        store,
        next: start,
        left: limit,
        until,
        swept,
    };
    let mut outcome = round.go_on(None).await;
    if matches!(outcome, Ok(Stop::End)) && start > Position::default() {
        round.next = Position::default();
        outcome = round.go_on(Some(start)).await;
    }
    if matches!(outcome, Ok(Stop::End)) {
        round.next = Position::default();
    }
    let next = round.next;
    let failed = outcome.err();
    store.note_sweep_position(ROUND, &next.to_string()).await?;
    failed.map_or(Ok(()), Err)
}

/// Why the round stops.
enum Stop {
    /// No program is left.
    End,
    /// The sweep has done its share, or its time is up.
    Enough,
}

struct Round<'a> {
    gate: &'a Gate,
    store: &'a Store,
    next: Position,
    left: u32,
    until: Instant,
    swept: &'a mut Swept,
}

impl Round<'_> {
    /// Compares from where the round is, up to `end`, or to the last program. An error of one program is kept for the end.
    async fn go_on(&mut self, end: Option<Position>) -> Result<Stop, SweepError> {
        let mut outcome = Ok(Stop::End);
        while self.may_go_on(end) {
            let before = ProgramId::new(self.next.program - 1).ok();
            let Some((id, shard)) = self.store.programs_after(before, 1).await?.pop() else {
                return outcome;
            };
            if id.get() > self.next.program {
                self.next = Position {
                    program: id.get(),
                    ..Position::default()
                };
            }
            let before = *self.swept;
            let compared = self.program(ProgramRef { id, shard }, end).await;
            warn(id, before, *self.swept);
            // One program that cannot be compared must not hide those behind it.
            match compared {
                Ok(true) => {}
                Ok(false) => return outcome.map(|_| Stop::Enough),
                Err(error) => {
                    tracing::error!(alarm = "seats_not_compared", program = %id, %error, "a program's seats cannot be compared");
                    outcome = outcome.and(Err(error));
                }
            }
            self.next = Position::after(id.get());
        }
        outcome.map(|_| Stop::Enough)
    }

    fn may_go_on(&self, end: Option<Position>) -> bool {
        self.left > 0 && Instant::now() < self.until && end.is_none_or(|end| self.next < end)
    }

    /// One program, from where the round is. Answers whether it came to the program's end.
    async fn program(&mut self, at: ProgramRef, end: Option<Position>) -> Result<bool, SweepError> {
        // A program takes some of the sweep's share also when it is closed, or gone.
        self.left = self.left.saturating_sub(1);
        if self.gate.install_state(at).await? != InstallState::Open {
            return Ok(true);
        }
        let Some(program) = self.store.program(at.id).await? else {
            return Ok(true);
        };
        self.left += 1;
        for (position, place) in chunks(&program)
            .filter(|(position, _)| *position >= self.next)
            .collect::<Vec<_>>()
        {
            self.next = position;
            if !self.may_go_on(end) {
                return Ok(false);
            }
            self.left -= 1;
            if !chunk::compare(self.gate, self.store, &program, place, self.swept).await? {
                return Ok(true);
            }
        }
        Ok(true)
    }
}

/// One line for a program, however many of its chunks were wrong.
fn warn(program: ProgramId, before: Swept, after: Swept) {
    let mended = after.mended - before.mended;
    let recounted = after.recounted - before.recounted;
    if mended + recounted > 0 {
        tracing::warn!(%program, mended, recounted, "the gate disagreed with Postgres or with itself; mended");
    }
}

/// All chunks of a program, ascending.
fn chunks(program: &Program) -> impl Iterator<Item = (Position, Place)> {
    program.categories.iter().flat_map(|category| {
        let place = |chunk| {
            let position = Position {
                program: program.id.get(),
                category: category.no.get(),
                chunk,
            };
            (
                position,
                Place {
                    category: category.no,
                    layout: category.layout,
                    chunk,
                },
            )
        };
        (0..category.layout.chunks()).map(place)
    })
}
