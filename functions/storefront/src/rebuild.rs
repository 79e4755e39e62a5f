//! Filling the gate for a program that it has lost, or that has just been created.
//!
//! 1. A barrier is appended to every partition, which only a storefront can do, and the map is installed closed with their offsets.
//! 2. Create must have passed the barriers: then every order accepted before the loss is a row ([`caught_up`]).
//! 3. The live rows are merged, and the gate opens, unless another has begun anew meanwhile.
//!
//! One request carries this on at a time, by a short lease, for a bounded time; all others are told to come back. Whatever a dead
//! one left, the next begins again: merging twice is merging once.

mod caught_up;

use std::time::Duration;

use shared::gate::{Epoch, Install, LiveOrder, Merged, ProgramRef};
use shared::message::OrderNumber;
use shared::reconcile::reconcile;
use shared::sale::Program;
use shared::store::OrderRow;
use tokio::time::Instant;

pub use caught_up::OwnBarriers;

use crate::http::Problem;
use crate::storefront::Storefront;

/// A loader that says nothing for so long has died. Renewed by every page.
const LEASE_MS: u64 = 3_000;
/// How long one request merges.
const WORK: Duration = Duration::from_secs(20);
/// Rows read at a time: each reading looks at all of the program's seats.
const PAGE: u32 = 5_000;
/// Orders merged by one script: Redis does nothing else meanwhile.
const MERGED: usize = 500;

/// How far the filling has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The gate is open.
    Open,
    /// Not yet: come back.
    Loading,
}

/// Installs a program that was created by this request: nothing of it can be in Kafka or in Postgres.
pub async fn install_new(shop: &Storefront, program: &Program) -> Result<(), Problem> {
    let epoch = Epoch::new(rand::random());
    if let Install::Mine { .. } = shop.gate.install_begin(program, Some("{}"), &epoch, LEASE_MS).await? {
        shop.gate.install_open(ProgramRef::from(program), &epoch).await?;
    }
    Ok(())
}

/// Carries the filling on as far as one request may.
pub async fn carry_on(shop: &Storefront, program: &Program) -> Result<Progress, Problem> {
    let epoch = Epoch::new(rand::random());
    let mut begun = shop.gate.install_begin(program, None, &epoch, LEASE_MS).await?;
    if begun == Install::EndsNeeded {
        let ends = caught_up::append_barriers(shop).await?;
        begun = shop.gate.install_begin(program, Some(&ends), &epoch, LEASE_MS).await?;
    }
    match begun {
        Install::AlreadyOpen => return Ok(Progress::Open),
        Install::Busy { .. } | Install::EndsNeeded => return Ok(Progress::Loading),
        Install::Mine { ends } => {
            if !caught_up::create_has_passed(shop, &ends).await? {
                tracing::info!(program = %program.id, "the gate waits for create");
                return Ok(Progress::Loading);
            }
        }
    }
    fill(shop, program, &epoch).await
}

async fn fill(shop: &Storefront, program: &Program, epoch: &Epoch) -> Result<Progress, Problem> {
    let at = ProgramRef::from(program);
    let deadline = Instant::now() + WORK;
    let mut after: Option<OrderNumber> = None;
    let mut displaced: Vec<OrderNumber> = Vec::new();
    loop {
        let rows = shop.store.live_orders(program.id, after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.number);
        let orders: Vec<LiveOrder> = rows.iter().filter_map(live).collect();
        for orders in orders.chunks(MERGED) {
            match shop.gate.install_merge(at, epoch, LEASE_MS, orders).await? {
                Merged::Done { displaced: others, outside } => {
                    if !outside.is_empty() {
                        tracing::error!(program = %program.id, ?outside, "stored orders have seats that the program does not");
                    }
                    displaced.extend(others.into_iter().map(|(order, _)| order));
                }
                Merged::Stale => return Ok(Progress::Loading),
            }
        }
        if Instant::now() >= deadline {
            return Ok(Progress::Loading);
        }
    }
    if !shop.gate.install_open(at, epoch).await? {
        return Ok(Progress::Loading);
    }
    tracing::info!(program = %program.id, displaced = displaced.len(), "the gate is open");
    if !displaced.is_empty() {
        let rows = shop.store.orders(&displaced).await?;
        reconcile(&shop.gate, &shop.store, &rows).await?;
    }
    Ok(Progress::Open)
}

/// A live row knows all of this: only a fence lacks any.
fn live(row: &OrderRow) -> Option<LiveOrder> {
    Some(LiveOrder {
        order: row.number,
        nonce: row.nonce,
        user: row.user.clone()?,
        category: row.category?,
        seats: row.seats.clone(),
        due_in_ms: (row.status == shared::sale::Status::Unpaid).then(|| row.remaining_ms.unwrap_or(0).max(0) as u64),
    })
}
