//! Continues to fill gates that lost their state, so that a sale opens without a visitor as well.
//!
//! Only a storefront begins a filling, because only it appends barriers to Kafka. While
//! order-create has not passed these barriers, or another process holds the lease, the next tick
//! tries again.

use shared::gate::{Epoch, FillBegun, ProgramRef};
use shared::refill::{self, Filled, LEASE_MS};
use shared::store::Progress;

use super::JobError;
use crate::closer::Closer;
use crate::report::RefillCounts;

/// Continues every filling until it is done or `is_late` returns true. One that fails does not stop
/// the others. Returns the first error.
pub async fn refill_gates(
    closer: &Closer,
    is_late: &(dyn Fn() -> bool + Sync),
    counts: &mut RefillCounts,
) -> Result<(), JobError> {
    let programs = closer.gate.fillings().await?;
    if programs.is_empty() {
        return Ok(());
    }
    let progress = closer.store.progress(&closer.settings.topic).await?;
    let mut outcome = Ok(());
    for program in programs {
        if is_late() {
            break;
        }
        counts.found += 1;
        match fill(closer, &progress, program, is_late).await {
            Ok(Some(Filled::Open)) => counts.opened += 1,
            Ok(Some(Filled::Unfinished) | None) => {}
            Err(error) => {
                tracing::warn!(
                    program = %program.id, %error,
                    "the gate is not filled; the next tick continues"
                );
                outcome = outcome.and(Err(error));
            }
        }
    }
    outcome
}

/// `None` where another process must act first.
async fn fill(
    closer: &Closer,
    progress: &[Progress],
    at: ProgramRef,
    is_late: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Filled>, JobError> {
    let Closer { gate, store, .. } = closer;
    let Some(program) = store.program(at.id).await? else {
        return Ok(None);
    };
    let loader = Epoch::new(rand::random());
    let begun = gate
        .install_begin(&program, None, &loader, LEASE_MS)
        .await?;
    let FillBegun::Mine { ends, position } = begun else {
        return Ok(None);
    };
    if position.is_empty() && !refill::has_passed(&ends, progress) {
        gate.install_renew(at, &loader, 1, None).await?;
        return Ok(None);
    }
    let filled = refill::fill(gate, store, &program, &loader, &position, is_late).await?;
    Ok(Some(filled))
}
