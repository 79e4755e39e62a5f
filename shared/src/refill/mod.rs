//! Fills a gate from Postgres, in pages, in any process: a storefront during a request, or the
//! timeout-closer.
//!
//! ```text
//! a storefront claims, begins and appends barriers; order-create passes them
//!   ------> the seats of the program, and which of them are blocked
//!   --kept--> reservations that survived in the gate: settled if their rows have ended
//!   --seats-> the orders that hold seats, by their first seats, with their clients' keys
//!   --keys--> the clients' keys of ended orders
//!   --done--> open
//! ```
//!
//! Every step is idempotent and stores its position in the program's header. A process that is
//! killed or runs out of time costs one page; the next process continues there. A lease keeps two
//! processes from doing the same work. The loader renews it while it reads Postgres, and gives it
//! back when its time is over. Two loaders at once do no harm.
//!
//! Rows that change behind the position are settled as usual: a closed gate accepts settles, and a
//! row that is not settled stays dirty.

mod keys;
mod lease;
mod map;
mod position;
mod seats;
mod survivors;
mod wait;

use crate::gate::{Epoch, Gate, GateError, ProgramRef};
use crate::sale::Program;
use crate::store::{Store, StoreError};

pub use map::settle_seats;
pub use wait::{BarrierPlace, Barriers, has_passed};

use position::FillPosition;

/// Duration of the loader's lease, ms: how long a filling pauses after its process is killed.
pub const LEASE_MS: u64 = 3_000;

/// Result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// The gate is open.
    Open,
    /// The time is over, or another loader holds the lease. The next loader continues.
    Unfinished,
}

/// Why a filling stopped. Its effects stay; the next loader continues.
#[derive(Debug, thiserror::Error)]
pub enum RefillError {
    /// Postgres failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis failed.
    #[error(transparent)]
    Gate(#[from] GateError),
}

/// One run of a loader.
struct GateFilling<'a> {
    gate: &'a Gate,
    store: &'a Store,
    program: &'a Program,
    at: ProgramRef,
    loader: &'a Epoch,
}

/// Result of a step.
enum Step {
    /// Everything before this position is done.
    To(FillPosition),
    /// Another loader holds the lease.
    Stale,
}

/// Continues a filling whose lease this loader holds ([`crate::gate::FillBegun::Mine`]) and whose
/// barriers order-create has passed, until the gate is open or `late` returns true. Every call does
/// at least one page, so any number of interrupted calls opens the gate.
///
/// `position` is the gate's answer.
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
        loader,
    };
    let mut position = FillPosition::read(position).unwrap_or_else(|| {
        tracing::error!(alarm = "filling_position_unreadable", program = %program.id, position,
            "the stored position of a filling cannot be read; it starts again");
        FillPosition::FIRST
    });
    // The caller, or the loader before it, may have begun with an earlier version of the program.
    let seats = map::settle_seats(gate, store, program.id);
    if filling.while_leased(seats).await?.is_none() {
        return Ok(Filled::Unfinished);
    }
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
        if !filling.note(&next).await? {
            return Ok(Filled::Unfinished);
        }
        position = next;
        if position != FillPosition::Done && late() {
            filling.give_back().await?;
            return Ok(Filled::Unfinished);
        }
    }
    if !gate.install_open(at, loader).await? {
        return Ok(Filled::Unfinished);
    }
    tracing::info!(program = %program.id, "the gate is open");
    Ok(Filled::Open)
}
