//! The seats of a program: added, blocked, unblocked. Each change is one transaction that raises the
//! program's version, adds a row to the outbox, and leaves the program's seats dirty until the gate
//! has them ([`Store::seats_settled`]).

use sqlx::Row;

use super::columns::{column, from_row};
use super::program_changes::noted;
use super::retry::{ConflictRetry, StaleReadRetry, retry_conflicts};
use super::{Store, StoreError, programs};
use crate::message::{ProgramId, ProgramVersion, SeatIndex, UserId};
use crate::sale::{BadAddition, Program, SeatAddition, SeatRange, SeatRanges};

/// A program and its blocked seats, read in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramSeats {
    /// The program.
    pub program: Program,
    /// Seats that are not for sale.
    pub blocked: SeatRanges,
    /// The gate may not have the seats as they are here.
    pub dirty: bool,
}

/// Whether seats are blocked or unblocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeatBlock<'a> {
    /// They are not for sale from now on. Seats that are blocked already keep their reason.
    Block {
        /// Why, for operators.
        reason: &'a str,
        /// Who blocks them.
        by: &'a UserId,
    },
    /// They are for sale again.
    Unblock,
}

/// Result of blocking or unblocking seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatsBlocked {
    /// Committed, with a row in the outbox. The caller publishes it and settles the gate.
    Done {
        /// The program after the change.
        program: Program,
        /// Seats that were changed.
        seats: u64,
    },
    /// All seats were as requested. Nothing was changed.
    Already(Program),
    /// The program does not have this seat. Nothing was changed.
    NoSuchSeat(SeatIndex),
    /// The program does not exist.
    NoSuchProgram,
}

/// Result of adding seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatsAdded {
    /// Committed, with a row in the outbox. The caller publishes it and settles the gate.
    Done(Program),
    /// The program has another version than expected. Nothing was changed.
    VersionDiffers(ProgramVersion),
    /// These seats cannot be added. Nothing was changed.
    Refused(BadAddition),
    /// The program does not exist.
    NoSuchProgram,
}

/// Blocked seats that an operator blocked together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockedRange {
    /// First seat.
    pub first: SeatIndex,
    /// Last seat.
    pub last: SeatIndex,
    /// Why they are blocked.
    pub reason: String,
    /// Who blocked them.
    pub blocked_by: String,
    /// When, ms since 1970.
    pub blocked_at_ms: i64,
}

from_row!(BlockedRange {
    first,
    last,
    reason,
    blocked_by,
    blocked_at_ms,
});

impl Store {
    /// A program with its blocked seats.
    pub async fn program_seats(&self, id: ProgramId) -> Result<Option<ProgramSeats>, StoreError> {
        let rows = sqlx::query(include_str!("sql/program_seats.sql"))
            .bind(id)
            .fetch_all(&self.pool)
            .await?;
        let Some(first) = rows.first() else {
            return Ok(None);
        };
        let mut blocked = Vec::new();
        for row in &rows {
            let firsts: Option<Vec<SeatIndex>> = row.try_get("blocked_first")?;
            let lasts: Option<Vec<SeatIndex>> = row.try_get("blocked_last")?;
            let pairs = firsts
                .into_iter()
                .flatten()
                .zip(lasts.into_iter().flatten());
            blocked.extend(pairs.map(|(first, last)| SeatRange { first, last }));
        }
        Ok(Some(ProgramSeats {
            program: programs::program(id, first, &rows)?,
            blocked: SeatRanges::new(blocked).map_err(|error| sqlx::Error::Decode(error.into()))?,
            dirty: first.try_get("seats_dirty")?,
        }))
    }

    /// Blocks or unblocks seats. An order keeps a seat that is blocked afterwards.
    pub async fn block_seats(
        &self,
        id: ProgramId,
        seats: &SeatRanges,
        to: SeatBlock<'_>,
    ) -> Result<SeatsBlocked, StoreError> {
        retry_conflicts(|| self.block_once(id, seats, to)).await
    }

    async fn block_once(
        &self,
        id: ProgramId,
        seats: &SeatRanges,
        to: SeatBlock<'_>,
    ) -> Result<SeatsBlocked, StoreError> {
        let mut tx = self.pool.begin().await?;
        let touch = sqlx::query_scalar(include_str!("sql/program_touch.sql"))
            .bind(id)
            .bind(None::<ProgramVersion>);
        let version: Option<ProgramVersion> = touch.fetch_optional(&mut *tx).await?;
        let (Some(version), Some(program)) = (version, programs::read(&mut *tx, id).await?) else {
            return Ok(SeatsBlocked::NoSuchProgram);
        };
        if let Some(seat) = seats.outside(&program) {
            return Ok(SeatsBlocked::NoSuchSeat(seat));
        }
        let firsts = column(seats.ranges(), |range| range.first);
        let lasts = column(seats.ranges(), |range| range.last);
        let change = match to {
            SeatBlock::Block { reason, by } => sqlx::query(include_str!("sql/seats_block.sql"))
                .bind(id)
                .bind(firsts)
                .bind(lasts)
                .bind(reason)
                .bind(by),
            SeatBlock::Unblock => sqlx::query(include_str!("sql/seats_unblock.sql"))
                .bind(id)
                .bind(firsts)
                .bind(lasts),
        };
        let changed = change.execute(&mut *tx).await?.rows_affected();
        if changed == 0 {
            // The transaction ends without a commit: the version stays.
            drop(tx);
            let program = self.program(id).await?;
            return Ok(program.map_or(SeatsBlocked::NoSuchProgram, SeatsBlocked::Already));
        }
        let program = noted(&mut tx, id, version).await?;
        tx.commit().await?;
        Ok(SeatsBlocked::Done {
            program,
            seats: changed,
        })
    }

    /// Adds seats to a program if its version is `expected`.
    pub async fn add_seats(
        &self,
        id: ProgramId,
        expected: ProgramVersion,
        addition: &SeatAddition,
    ) -> Result<SeatsAdded, StoreError> {
        let mut conflicts = ConflictRetry::default();
        let mut stale = StaleReadRetry::default();
        loop {
            let added = conflicts
                .run(|| self.add_once(id, expected, addition))
                .await?;
            // The expected version was committed between the UPDATE and the SELECT of the program.
            if !stale.is_due(added == SeatsAdded::VersionDiffers(expected)) {
                return Ok(added);
            }
        }
    }

    async fn add_once(
        &self,
        id: ProgramId,
        expected: ProgramVersion,
        addition: &SeatAddition,
    ) -> Result<SeatsAdded, StoreError> {
        let mut tx = self.pool.begin().await?;
        let touch = sqlx::query_scalar(include_str!("sql/program_touch.sql"))
            .bind(id)
            .bind(expected);
        let version: Option<ProgramVersion> = touch.fetch_optional(&mut *tx).await?;
        let Some(program) = programs::read(&mut *tx, id).await? else {
            return Ok(SeatsAdded::NoSuchProgram);
        };
        let Some(version) = version else {
            return Ok(SeatsAdded::VersionDiffers(program.version));
        };
        let categories = match addition.apply(&program) {
            Ok(categories) => categories,
            Err(refused) => return Ok(SeatsAdded::Refused(refused)),
        };
        let (old, new) = categories.split_at(program.categories.len());
        for (after, before) in old.iter().zip(&program.categories) {
            if after.layout != before.layout {
                sqlx::query(include_str!("sql/program_grow.sql"))
                    .bind(id)
                    .bind(after.no)
                    .bind(after.layout.rows() as i32)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        programs::add_categories(&mut tx, id, new).await?;
        let program = noted(&mut tx, id, version).await?;
        tx.commit().await?;
        Ok(SeatsAdded::Done(program))
    }

    /// The blocked seats of a program, ascending. `after` is the first seat of the last range of the
    /// page before.
    pub async fn blocked_seats(
        &self,
        id: ProgramId,
        after: Option<SeatIndex>,
        limit: u32,
    ) -> Result<Vec<BlockedRange>, StoreError> {
        Ok(sqlx::query_as(include_str!("sql/seats_blocked.sql"))
            .bind(id)
            .bind(after.map_or(-1, |seat| seat.get().cast_signed()))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?)
    }

    /// Programs whose seats the gate may not have, with identities above `after`, ascending.
    pub async fn dirty_seats(
        &self,
        after: Option<ProgramId>,
        limit: u32,
    ) -> Result<Vec<ProgramId>, StoreError> {
        let query = sqlx::query_scalar(include_str!("sql/programs_seats_dirty.sql"))
            .bind(after.map_or(0, ProgramId::get))
            .bind(i64::from(limit));
        Ok(query.fetch_all(&self.pool).await?)
    }

    /// The gate has the seats of this version. Nothing happens if the program has changed since.
    pub async fn seats_settled(
        &self,
        id: ProgramId,
        version: ProgramVersion,
    ) -> Result<(), StoreError> {
        sqlx::query(include_str!("sql/program_seats_settled.sql"))
            .bind(id)
            .bind(version)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}
