//! One chunk of a program's seat map: the gate against itself, then against Postgres, and mended both ways.
//!
//! The gate's own numbers (map, owners, free counts, longest runs) are compared and mended by one script. A seat whose order has no row is
//! never freed here: its order gets its timeout entry back, if it has none, and step 5 then goes the way that fences first. What has been
//! fenced so, or ended otherwise, loses the seats that it still owns. A seat that is taken and has no owner is freed once neither a row
//! nor a reservation has it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use delay_queue::{Due, NewEntry, Scheduled};
use shared::gate::{
    Audit, AuditedChunk, Gate, OrderAt, ProgramRef, Release, Settle, SettleTo, StoredTickets,
    TicketCount, TimeoutJob,
};
use shared::message::{CategoryNo, OrderNumber, SeatIndex, UserId};
use shared::reconcile::reconcile;
use shared::sale::{Layout, Place as SeatPlace, Program};
use shared::store::{OrderRow, Store};

use super::differences::{Owner, differences};
use super::{SweepError, Swept};

/// A re-armed entry is due after so long, in ms: what is on its way right now arrives first.
const REARM_MS: u64 = 2_000;
/// Most seats of one order.
const SEATS: usize = 20;

/// Where a chunk is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) category: CategoryNo,
    pub(super) layout: Layout,
    pub(super) chunk: u32,
}

impl Place {
    /// Its seats; nothing if there is no such chunk.
    fn seats(self) -> Option<RangeInclusive<SeatIndex>> {
        let last = self.layout.chunk_seats(self.chunk).checked_sub(1)?;
        let seat = |offset| {
            self.layout.seat(SeatPlace {
                chunk: self.chunk,
                offset,
            })
        };
        Some(seat(0)?..=seat(last)?)
    }
}

/// Compares and mends a chunk. Answers whether the program's other chunks can be compared as well.
pub(super) async fn compare(
    gate: &Gate,
    store: &Store,
    program: &Program,
    place: Place,
    swept: &mut Swept,
) -> Result<bool, SweepError> {
    let at = ProgramRef::from(program);
    let Some(seats) = place.seats() else {
        return Ok(false);
    };
    // The gate first: an order is stored after it was reserved, so an owner that has no row yet is no owner without a row.
    let audited = match gate.audit(at, place.category, place.chunk, &[]).await? {
        Audit::Done(audited) => audited,
        Audit::Closed => return Ok(false),
        Audit::NoSuchChunk | Audit::Damaged => {
            tracing::error!(alarm = "gate_map_damaged", program = %at.id, category = %place.category, chunk = place.chunk,
                "the gate's seat map is not the program's; the next request fills it again");
            swept.mended += 1;
            return Ok(false);
        }
    };
    let numbers: BTreeSet<OrderNumber> = store
        .holders(at.id, *seats.start(), *seats.end())
        .await?
        .into_iter()
        .collect();
    let numbers: BTreeSet<OrderNumber> = numbers
        .into_iter()
        .chain(audited.taken.iter().map(|taken| taken.order))
        .collect();
    let rows = orders(store, numbers.iter().copied()).await?;
    let found = differences(at.id, &seats, &audited.taken, &rows);

    swept.rearmed += rearm(gate, store, at, &found.unknown).await?;
    free(gate, at, place.category, &found.ended).await?;
    let settled = settle(gate, store, &found.settle).await?;
    let released = release(gate, store, at, place, &audited, found.stray).await?;
    swept.tickets += tickets(gate, at, &rows).await?;

    let ended = found
        .ended
        .keys()
        .filter(|(order, _)| !settled.contains(order))
        .count();
    let mended = (settled.len() + ended) as u64 + u64::from(audited.taken_again + released);
    swept.mended += mended;
    swept.recounted += u64::from(audited.recounted);
    Ok(true)
}

async fn orders(
    store: &Store,
    numbers: impl Iterator<Item = OrderNumber>,
) -> Result<Vec<OrderRow>, SweepError> {
    let numbers: Vec<OrderNumber> = numbers.collect();
    Ok(if numbers.is_empty() {
        Vec::new()
    } else {
        store.orders(&numbers).await?
    })
}

/// Settles rows again, those that have not changed since: a row that has was settled by whatever changed it, or is dirty.
async fn settle(
    gate: &Gate,
    store: &Store,
    seen: &BTreeMap<OrderNumber, i64>,
) -> Result<BTreeSet<OrderNumber>, SweepError> {
    let mut rows = orders(store, seen.keys().copied()).await?;
    rows.retain(|row| seen.get(&row.number) == Some(&row.version));
    reconcile(gate, store, &rows).await?;
    Ok(rows.into_iter().map(|row| row.number).collect())
}

/// Frees what ended orders still own. Their rows need not know these seats: the fence of an order whose reservation was lost knows none.
/// No race: an end is for ever, and a seat is freed only if this very order owns it.
async fn free(
    gate: &Gate,
    program: ProgramRef,
    category: CategoryNo,
    ended: &BTreeMap<Owner, Vec<SeatIndex>>,
) -> Result<(), SweepError> {
    for ((order, nonce), seats) in ended {
        let at = OrderAt {
            order: *order,
            nonce: *nonce,
            program,
        };
        for seats in seats.chunks(SEATS) {
            let seats = Some((category, seats.to_vec()));
            gate.settle(&Settle {
                at,
                user: None,
                key: None,
                seats,
                to: SettleTo::Gone { forget_key: false },
            })
            .await?;
        }
    }
    Ok(())
}

/// Frees seats that a live order has beyond its row, and seats without an owner that no row and no reservation has.
async fn release(
    gate: &Gate,
    store: &Store,
    at: ProgramRef,
    place: Place,
    audited: &AuditedChunk,
    stray: Vec<Release>,
) -> Result<u32, SweepError> {
    let mut releases = stray;
    if !audited.unowned.is_empty() {
        let reserved = gate.reserved_seats(at).await?;
        // Read after the reservations: a reservation that has become a row since has its seats by the row.
        let Some(seats) = place.seats() else {
            return Ok(0);
        };
        let holders = store.holders(at.id, *seats.start(), *seats.end()).await?;
        let rows = orders(store, holders.into_iter()).await?;
        let stored: BTreeSet<SeatIndex> = rows
            .iter()
            .flat_map(|row| row.seats.iter().copied())
            .collect();
        let unowned = audited
            .unowned
            .iter()
            .filter(|seat| !reserved.contains(seat) && !stored.contains(seat));
        releases.extend(unowned.map(|seat| Release {
            seat: *seat,
            owner: None,
        }));
    }
    if releases.is_empty() {
        return Ok(0);
    }
    Ok(
        match gate
            .audit(at, place.category, place.chunk, &releases)
            .await?
        {
            Audit::Done(AuditedChunk { freed, .. }) => freed,
            Audit::Closed | Audit::NoSuchChunk | Audit::Damaged => 0,
        },
    )
}

/// Makes the orders of live rows count towards their buyers' limits.
async fn tickets(gate: &Gate, program: ProgramRef, rows: &[OrderRow]) -> Result<u64, SweepError> {
    let live = rows
        .iter()
        .filter(|row| row.program == Some(program.id) && row.status.is_live());
    let counted: Vec<(&UserId, &OrderRow)> = live
        .filter_map(|row| Some((row.user.as_ref()?, row)))
        .collect();
    let asked: Vec<(&UserId, OrderNumber)> = counted
        .iter()
        .map(|(user, row)| (*user, row.number))
        .collect();
    let mut mended = 0;
    for ((user, row), seen) in counted
        .into_iter()
        .zip(gate.tickets(program, &asked).await?)
    {
        let seats = row.seats.len() as u32;
        if seen.as_deref() != Some(seats.to_string().as_str()) {
            let count = TicketCount {
                order: row.number.to_string(),
                seen,
                stored: StoredTickets::Live(seats),
            };
            mended += u64::from(gate.mend_tickets(program, user, &[count]).await?);
        }
    }
    Ok(mended)
}

/// Gives an entry to orders that have seats but neither an entry nor a row.
///
/// The gate and Postgres were read at different moments, so most of these orders have only just been stored, paid or ended. An
/// entry leaves after the row was committed: an order that has no entry, and *then* still no row, is unknown.
async fn rearm(
    gate: &Gate,
    store: &Store,
    program: ProgramRef,
    unknown: &[Owner],
) -> Result<u64, SweepError> {
    let timeouts = gate.timeouts();
    let ids: Vec<String> = unknown.iter().map(|(order, _)| order.to_string()).collect();
    let exist = timeouts.exist(program.shard, &ids).await?;
    let without: Vec<Owner> = unknown
        .iter()
        .zip(exist)
        .filter(|(_, exists)| !exists)
        .map(|(owner, _)| *owner)
        .collect();
    let stored = orders(store, without.iter().map(|(order, _)| *order)).await?;
    let is_stored = |owner: &&Owner| stored.iter().any(|row| (row.number, row.nonce) == **owner);
    let entry = |(order, nonce): &Owner| NewEntry {
        shard: program.shard.into(),
        id: order.to_string(),
        body: TimeoutJob {
            program: program.id,
            nonce: *nonce,
        }
        .body(),
        due: Due::In(REARM_MS),
    };
    let entries: Vec<NewEntry> = without
        .iter()
        .filter(|owner| !is_stored(owner))
        .map(entry)
        .collect();
    if entries.is_empty() {
        return Ok(0);
    }
    let answers = timeouts.schedule_many(&entries).await?;
    let new = answers
        .iter()
        .filter(|answer| **answer == Scheduled::New)
        .count() as u64;
    if new > 0 {
        tracing::error!(alarm = "order_rearmed", program = %program.id, orders = new, "orders without a timeout entry got one");
    }
    Ok(new)
}
