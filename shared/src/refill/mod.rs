//! Fills a gate from Postgres, in pages, in whichever process has the time: a storefront during a request, or the tick of the timeout-closer.
//!
//! ```text
//! claimed and begun by a storefront, which alone appends to Kafka (wait: order-create must have passed its barriers)
//!   --kept--> reservations that survived in the gate, settled where their rows say that they have ended
//!   --seats-> the orders that hold seats, by their first seats, with the clients' keys that lead to them
//!   --keys--> the keys that lead to orders which have ended
//!   --done--> open
//! ```
//!
//! Every step is idempotent and notes its position in the program's header, so that a process that is killed, or runs out of time, costs
//! one page of work: the next one continues there, however often that happens. A lease keeps two processes from doing the same work; it
//! is renewed while Postgres is read, and given back when a process runs out of time. Two that work all the same do no harm.
//!
//! Rows that change behind the position are settled as always: settling works while a gate is closed, and what it misses stays dirty.

mod keys;
mod lease;
mod position;
mod seats;
mod survivors;
mod wait;

use crate::gate::{Epoch, Gate, GateError, ProgramRef};
use crate::sale::Program;
use crate::store::{Store, StoreError};

pub use wait::{BarrierPlace, Barriers, has_passed};

use lease::LoaderLease;
use position::FillPosition;

/// How long a loader has a filling without renewing its lease, ms: so long a filling stands still when its process is killed.
pub const LEASE_MS: u64 = 3_000;

/// How far a filling has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The gate is open.
    Open,
    /// Time ran out, or another loader has the filling. The next loader continues.
    Unfinished,
}

/// Why a filling stopped. What it did stays done; the next loader continues.
#[derive(Debug, thiserror::Error)]
pub enum RefillError {
    /// Postgres is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis is away.
    #[error(transparent)]
    Gate(#[from] GateError),
}

/// What every step needs.
struct GateFilling<'a> {
    gate: &'a Gate,
    store: &'a Store,
    program: &'a Program,
    at: ProgramRef,
    lease: LoaderLease<'a>,
}

/// What a step came to.
enum Step {
    /// All before this position is done.
    To(FillPosition),
    /// The filling is not this loader's any more.
    Stale,
}

/// Continues a filling that is this loader's ([`crate::gate::Install::Mine`]) and that order-create has caught up with, until the gate is
/// open or `late` says so. At least one page is done by every call, so any number of calls that are cut short still opens the gate.
///
/// `position`: as the gate answered it.
pub async fn fill(
    gate: &Gate,
    store: &Store,
    program: &Program,
    loader: &Epoch,
    position: &str,
    late: &(dyn Fn() -> bool + Sync),
) -> Result<Filled, RefillError> {
    let at = ProgramRef::from(program);
    let filling = GateFilling {
        gate,
        store,
        program,
        at,
        lease: LoaderLease { gate, at, loader },
    };
    let mut position = FillPosition::read(position).unwrap_or_else(|| {
        tracing::error!(alarm = "filling_position_unreadable", program = %program.id, position, "the filling begins from the first seat");
        FillPosition::FIRST
    });
    while position != FillPosition::Done {
        let step = match position {
            FillPosition::Kept(cursor) => filling.settle_survivors(cursor).await?,
            FillPosition::Seats(after) => filling.merge_seats(after).await?,
            FillPosition::Keys(after) => filling.restore_keys(after).await?,
            FillPosition::Done => break,
        };
        let Step::To(next) = step else {
            return Ok(Filled::Unfinished);
        };
        if !filling.lease.note(&next).await? {
            return Ok(Filled::Unfinished);
        }
        position = next;
        if position != FillPosition::Done && late() {
            filling.lease.give_back().await?;
            return Ok(Filled::Unfinished);
        }
    }
    if !gate.install_open(at, loader).await? {
        return Ok(Filled::Unfinished);
    }
    tracing::info!(program = %program.id, "the gate is open");
    Ok(Filled::Open)
}
