//! One program's seats, both ways: taken in the gate against rows in Postgres, and the other way round.
//!
//! A row outranks a reservation. A seat whose order has no row is never freed here: its order gets its timeout entry back, if it has
//! none, and step 5 then goes the way that fences first. What has been fenced so, or ended otherwise, loses whatever seats it still owns.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::SystemTime;

use shared::delay::{Due, NewEntry, Scheduled};
use shared::gate::{Gate, GateError, InstallState, OrderAt, ProgramRef, Settle, SettleTo, TimeoutJob};
use shared::message::{CategoryNo, Nonce, OrderNumber, SeatIndex};
use shared::reconcile::reconcile;
use shared::sale::Program;
use shared::store::{OrderRow, Store};

use super::SweepError;

/// Orders, or taken seats, read at a time.
const PAGE: usize = 5_000;
/// A re-armed entry is due after so long: what is on its way right now arrives first.
const REARM_MS: u64 = 2_000;

/// Most seats of one order.
const SEATS: usize = 20;

/// Seats by the order, and nonce, that has them in the gate.
type Owners = HashMap<(OrderNumber, Nonce), HashSet<SeatIndex>>;

/// Compares and mends. Answers how many orders got their entry back, and how many rows were settled again.
///
/// Reading ends at `until`; half a picture accuses the innocent, so nothing is mended then.
pub(super) async fn compare(
    gate: &Gate,
    store: &Store,
    program: ProgramRef,
    limit: u32,
    until: SystemTime,
) -> Result<(u64, u64), SweepError> {
    let late = || {
        let late = SystemTime::now() >= until;
        if late {
            tracing::warn!(program = %program.id, "a sweep is too short to compare all of this program's seats");
        }
        late
    };
    if gate.install_state(program).await? != InstallState::Open {
        return Ok((0, 0));
    }
    let owners = owners(gate, program).await?;
    let mut wrong: Vec<OrderRow> = Vec::new();
    let mut ended: Vec<(OrderNumber, Nonce)> = Vec::new();
    let mut unknown: Vec<(OrderNumber, Nonce)> = Vec::new();
    let held: Vec<(OrderNumber, Nonce)> = owners.keys().copied().collect();
    for page in held.chunks(PAGE) {
        if late() {
            return Ok((0, 0));
        }
        let numbers: Vec<OrderNumber> = page.iter().map(|(order, _)| *order).collect();
        let rows: HashMap<OrderNumber, OrderRow> =
            store.orders(&numbers).await?.into_iter().map(|row| (row.number, row)).collect();
        for (order, nonce) in page {
            match rows.get(order) {
                None => unknown.push((*order, *nonce)),
                // The number is another order's: this one can never be stored.
                Some(row) if row.nonce != *nonce => ended.push((*order, *nonce)),
                Some(row) if row.status.is_live() => {}
                Some(row) => {
                    ended.push((*order, *nonce));
                    wrong.push(row.clone());
                }
            }
        }
    }
    let mut after = None;
    loop {
        let page = store.live_orders(program.id, after, PAGE as u32).await?;
        if late() {
            return Ok((0, 0));
        }
        let lacks = |row: &OrderRow| {
            let has = owners.get(&(row.number, row.nonce));
            row.seats.iter().any(|seat| !has.is_some_and(|seats| seats.contains(seat)))
        };
        wrong.extend(page.orders.into_iter().filter(lacks));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    unknown.truncate(limit as usize);
    let rearmed = rearm(gate, store, program, &unknown).await?;
    ended.truncate(limit as usize);
    free(gate, store, program, &ended, &owners).await?;
    // Rows are read again: they may have changed since, and what is settled should be the newest there is.
    let numbers: Vec<OrderNumber> = wrong.iter().take(limit as usize).map(|row| row.number).collect();
    let rows = if numbers.is_empty() { Vec::new() } else { store.orders(&numbers).await? };
    let settled: HashSet<OrderNumber> = rows.iter().map(|row| row.number).collect();
    reconcile(gate, store, &rows).await?;
    let mended = settled.len() + ended.iter().filter(|(order, _)| !settled.contains(order)).count();
    if mended > 0 {
        tracing::warn!(program = %program.id, orders = mended, "gate and Postgres disagreed about seats");
    }
    Ok((rearmed, mended as u64))
}

/// Frees what ended orders still own. Their rows need not know these seats: the fence of an order whose reservation was lost knows none.
/// No race: an end is for ever, and a seat is freed only if this very order owns it.
async fn free(
    gate: &Gate,
    store: &Store,
    program: ProgramRef,
    ended: &[(OrderNumber, Nonce)],
    owners: &Owners,
) -> Result<(), SweepError> {
    if ended.is_empty() {
        return Ok(());
    }
    let Some(layout) = store.program(program.id).await? else { return Ok(()) };
    for (order, nonce) in ended {
        let at = OrderAt { order: *order, nonce: *nonce, program };
        for (category, seats) in owners.get(&(*order, *nonce)).map(|seats| by_category(&layout, seats)).unwrap_or_default() {
            for seats in seats.chunks(SEATS) {
                let seats = Some((category, seats.to_vec()));
                gate.settle(&Settle { at, user: None, key: None, seats, to: SettleTo::Gone { forget_key: false } }).await?;
            }
        }
    }
    Ok(())
}

fn by_category(program: &Program, seats: &HashSet<SeatIndex>) -> BTreeMap<CategoryNo, Vec<SeatIndex>> {
    let mut sorted: Vec<SeatIndex> = seats.iter().copied().collect();
    sorted.sort_unstable();
    let mut by_category: BTreeMap<CategoryNo, Vec<SeatIndex>> = BTreeMap::new();
    for seat in sorted {
        if let Some((category, _)) = program.place(seat) {
            by_category.entry(category).or_default().push(seat);
        }
    }
    by_category
}

async fn owners(gate: &Gate, program: ProgramRef) -> Result<Owners, GateError> {
    let mut owners = Owners::new();
    let mut from = Some(0);
    while let Some(at) = from {
        let page = gate.taken(program, at).await?;
        for taken in page.taken {
            owners.entry((taken.order, taken.nonce)).or_default().insert(taken.seat);
        }
        from = page.next;
    }
    Ok(owners)
}

/// Gives an entry to orders that have seats but neither an entry nor a row.
///
/// The gate and Postgres were read at different moments, so most of these orders have only just been stored, paid or ended. An
/// entry leaves after the row was committed: who has no entry, and *then* still no row, is unknown indeed.
async fn rearm(gate: &Gate, store: &Store, program: ProgramRef, unknown: &[(OrderNumber, Nonce)]) -> Result<u64, SweepError> {
    let timeouts = gate.timeouts();
    let mut without = Vec::new();
    for (order, nonce) in unknown {
        if timeouts.peek(program.shard, &order.to_string()).await?.is_none() {
            without.push((*order, *nonce));
        }
    }
    if without.is_empty() {
        return Ok(0);
    }
    let numbers: Vec<OrderNumber> = without.iter().map(|(order, _)| *order).collect();
    let stored: HashSet<(OrderNumber, Nonce)> =
        store.orders(&numbers).await?.into_iter().map(|row| (row.number, row.nonce)).collect();
    let entries: Vec<NewEntry> = without
        .iter()
        .filter(|order| !stored.contains(order))
        .map(|(order, nonce)| NewEntry {
            shard: program.shard,
            id: order.to_string(),
            body: TimeoutJob { program: program.id, nonce: *nonce }.body(),
            due: Due::In(REARM_MS),
        })
        .collect();
    if entries.is_empty() {
        return Ok(0);
    }
    let answers = timeouts.schedule_many(&entries).await?;
    let new = answers.iter().filter(|answer| **answer == Scheduled::New).count() as u64;
    if new > 0 {
        tracing::error!(alarm = "order_rearmed", program = %program.id, orders = new, "orders without a timeout entry got one");
    }
    Ok(new)
}
