//! One chunk of a program's seat map: compared with the gate's own counters, then with Postgres.
//!
//! One script compares and repairs the gate's own numbers (map, owners, free counts, longest runs).
//! A seat whose order has no row is never freed here: if its order has no timeout entry, the order
//! gets one, and the due order closer fences it before it frees the seat. An order that has ended
//! loses the seats that it still owns. A seat that is taken and has no owner is freed if neither a
//! row nor a reservation holds it. Blocked seats are those of Postgres.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use delay_queue::{Due, NewEntry, Scheduled};
use shared::gate::{
    Audit, AuditedChunk, Gate, OrderAt, ProgramRef, Release, SeatsInstalled, Settle, SettleTo,
    TimeoutJob, chunk_seats,
};
use shared::message::{OrderNumber, SeatIndex, UserId};
use shared::reconcile::reconcile;
use shared::sale::Category;
use shared::steps::{Owner, differences, wrong_count};
use shared::store::{OrderRow, ProgramSeats, Store};
use tokio::time::sleep;

use crate::jobs::JobError;
use crate::report::SweepReport;

/// Delay of a new timeout entry, ms: an order that is being stored right now arrives before.
const REARM_MS: u64 = 2_000;
/// Maximum seats of one settle call.
const MAX_SEATS: usize = 20;
/// Pause after an audit, in multiples of the time that it took: a round takes at most a fifth of
/// the gate's time.
const PAUSE: u32 = 4;
/// Maximum pause, however long the gate took to answer.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Compares and repairs one chunk of a category's seats.
pub(super) struct ChunkAuditor<'a> {
    pub(super) gate: &'a Gate,
    pub(super) store: &'a Store,
    pub(super) at: ProgramRef,
    /// The program and its blocked seats.
    pub(super) seats: &'a ProgramSeats,
    pub(super) category: &'a Category,
    /// Number of the chunk.
    pub(super) chunk: u32,
}

impl ChunkAuditor<'_> {
    /// Returns whether the program's other chunks can be compared as well.
    pub(super) async fn compare(&self, report: &mut SweepReport) -> Result<bool, JobError> {
        let Some(seats) = chunk_seats(self.category, self.chunk) else {
            return Ok(false);
        };
        // The gate is read first: an order is reserved before it is stored, so an owner read now
        // has its row by the time the rows are read, or is not stored yet.
        let audited = match self.audit(&[]).await? {
            Audit::Done(audited) => audited,
            Audit::Closed => return Ok(false),
            Audit::NoSuchChunk | Audit::Damaged => {
                tracing::error!(
                    alarm = "gate_map_damaged", program = %self.at.id,
                    category = %self.category.no, chunk = self.chunk,
                    "the gate's seat map is not the program's; the next request fills it again"
                );
                report.mended += 1;
                return Ok(false);
            }
        };
        let owners = audited.taken.iter().map(|taken| taken.order);
        let holders = self.holders(&seats).await?;
        let numbers: BTreeSet<OrderNumber> = owners.chain(holders).collect();
        let rows = self.orders(numbers).await?;
        let found = differences(self.at.id, &seats, &audited.taken, &rows);

        report.rearmed += self.rearm(&found.unknown).await?;
        self.free_ended(&found.ended).await?;
        let settled = self.settle(&found.settle).await?;
        let released = self.release(&audited, found.stray).await?;
        report.tickets += self.count_tickets(&rows).await?;

        let ended = found.ended.keys();
        let ended = ended.filter(|(order, _)| !settled.contains(order)).count();
        report.mended += (settled.len() + ended) as u64;
        report.mended += u64::from(audited.taken_again + released);
        report.recounted += u64::from(audited.recounted);
        report.mended += self.block().await?;
        Ok(true)
    }

    /// Blocks in the gate what Postgres blocks, and nothing else. Returns the seats that differed
    /// though they should not: of a dirty program the gate may have other ones.
    async fn block(&self) -> Result<u64, JobError> {
        let ProgramSeats {
            program,
            blocked,
            dirty,
        } = self.seats;
        let block = self
            .gate
            .block_chunk(program, self.category, self.chunk, blocked);
        Ok(match block.await? {
            SeatsInstalled::Done(changes) if !dirty => u64::from(changes.changed),
            SeatsInstalled::Done(_) | SeatsInstalled::Newer | SeatsInstalled::Absent => 0,
        })
    }

    async fn audit(&self, releases: &[Release]) -> Result<Audit, JobError> {
        let (category, began) = (self.category.no, Instant::now());
        let audited = self
            .gate
            .audit(self.at, category, self.chunk, releases)
            .await?;
        sleep((began.elapsed() * PAUSE).min(MAX_PAUSE)).await;
        Ok(audited)
    }

    async fn holders(
        &self,
        seats: &RangeInclusive<SeatIndex>,
    ) -> Result<Vec<OrderNumber>, JobError> {
        let (first, last) = (*seats.start(), *seats.end());
        Ok(self.store.holders(self.at.id, first, last).await?)
    }

    async fn orders(
        &self,
        numbers: impl IntoIterator<Item = OrderNumber>,
    ) -> Result<Vec<OrderRow>, JobError> {
        let numbers: Vec<OrderNumber> = numbers.into_iter().collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.store.orders(&numbers).await?)
    }

    /// Settles rows again, unless they have changed since they were read: the process that changed
    /// such a row has settled it, or the row is dirty.
    async fn settle(
        &self,
        versions: &BTreeMap<OrderNumber, i64>,
    ) -> Result<BTreeSet<OrderNumber>, JobError> {
        let mut rows = self.orders(versions.keys().copied()).await?;
        rows.retain(|row| versions.get(&row.number) == Some(&row.version));
        reconcile(self.gate, self.store, &rows).await?;
        Ok(rows.into_iter().map(|row| row.number).collect())
    }

    /// Frees what ended orders still own. The seats come from the gate, because a row may lack
    /// them: the fence of an order whose reservation was lost lists no seats. No race: an order
    /// never becomes live again, and the script frees a seat only if this order owns it.
    async fn free_ended(&self, ended: &BTreeMap<Owner, Vec<SeatIndex>>) -> Result<(), JobError> {
        for ((order, nonce), seats) in ended {
            let at = OrderAt {
                order: *order,
                nonce: *nonce,
                program: self.at,
            };
            for seats in seats.chunks(MAX_SEATS) {
                let settle = Settle {
                    seats: Some((self.category.no, seats.to_vec())),
                    to: SettleTo::Gone { forget_key: false },
                    ..Settle::gone(at)
                };
                self.gate.settle(&settle).await?;
            }
        }
        Ok(())
    }

    /// Frees the seats that a live order owns beyond its row, and the seats without an owner that
    /// no row and no reservation holds.
    async fn release(&self, audited: &AuditedChunk, stray: Vec<Release>) -> Result<u32, JobError> {
        let mut releases = stray;
        if !audited.unowned.is_empty() {
            let reserved = self.gate.reserved_seats(self.at).await?;
            // Rows are read after the reservations: if a reservation was stored in between, its row
            // holds its seats.
            let Some(seats) = chunk_seats(self.category, self.chunk) else {
                return Ok(0);
            };
            let rows = self.orders(self.holders(&seats).await?).await?;
            let stored: BTreeSet<_> = rows.iter().flat_map(|row| &row.seats).collect();
            let held = |seat: &SeatIndex| reserved.contains(seat) || stored.contains(seat);
            let free = audited.unowned.iter().filter(|seat| !held(seat));
            releases.extend(free.map(|seat| Release {
                seat: *seat,
                owner: None,
            }));
        }
        if releases.is_empty() {
            return Ok(0);
        }
        Ok(match self.audit(&releases).await? {
            Audit::Done(AuditedChunk { freed, .. }) => freed,
            Audit::Closed | Audit::NoSuchChunk | Audit::Damaged => 0,
        })
    }

    /// Makes the orders of live rows count towards their buyers' limits.
    async fn count_tickets(&self, rows: &[OrderRow]) -> Result<u64, JobError> {
        let live: Vec<(&UserId, &OrderRow)> = rows
            .iter()
            .filter(|row| row.program == Some(self.at.id) && row.status.is_live())
            .filter_map(|row| Some((row.user.as_ref()?, row)))
            .collect();
        let keys: Vec<(&UserId, OrderNumber)> =
            live.iter().map(|(user, row)| (*user, row.number)).collect();
        let counts = self.gate.tickets(self.at, &keys).await?;
        let mut mended = 0;
        for ((user, row), seen) in live.into_iter().zip(counts) {
            let order = row.number.to_string();
            let wrong = wrong_count(self.at.id, user, &order, seen.as_deref(), Some(row));
            if let Some(count) = wrong {
                mended += u64::from(self.gate.repair_tickets(self.at, user, &[count]).await?);
            }
        }
        Ok(mended)
    }

    /// Schedules a timeout entry for each order that has seats but neither an entry nor a row.
    ///
    /// The gate and Postgres were read at different times, so most of these orders have been
    /// stored, paid or ended in between. An entry is removed after the row is committed: an order
    /// that has no entry, and has no row when read after that, is unknown.
    async fn rearm(&self, unknown: &[Owner]) -> Result<u64, JobError> {
        let timeouts = self.gate.timeouts();
        let ids: Vec<String> = unknown.iter().map(|(order, _)| order.to_string()).collect();
        let exist = timeouts.exist(self.at.shard, &ids).await?;
        let unknown = unknown.iter().zip(exist);
        let mut without: BTreeSet<Owner> = unknown
            .filter(|(_, exists)| !exists)
            .map(|(owner, _)| *owner)
            .collect();
        for row in self.orders(without.iter().map(|(order, _)| *order)).await? {
            without.remove(&(row.number, row.nonce));
        }
        if without.is_empty() {
            return Ok(0);
        }
        let program = self.at.id;
        let entry = |(order, nonce): Owner| NewEntry {
            shard: self.at.shard.into(),
            id: order.to_string(),
            body: TimeoutJob { program, nonce }.body(),
            due: Due::In(REARM_MS),
        };
        let entries: Vec<NewEntry> = without.into_iter().map(entry).collect();
        let answers = timeouts.schedule_many(&entries).await?.into_iter();
        let new = answers.filter(|answer| *answer == Scheduled::New).count() as u64;
        if new > 0 {
            tracing::error!(
                alarm = "order_rearmed", program = %self.at.id, orders = new,
                "orders without a timeout entry got a new one"
            );
        }
        Ok(new)
    }
}
