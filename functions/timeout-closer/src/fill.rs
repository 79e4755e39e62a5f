//! Programs whose gate is being filled: the tick continues what storefronts began, so that a sale opens without a visitor as well.
//!
//! Only a storefront can begin, since only it appends barriers to Kafka. Where order-create has not passed these yet, or another process
//! has the filling, the next tick looks again.

use shared::gate::{Epoch, Gate, Install, ProgramRef};
use shared::refill::{self, Filled, LEASE_MS, RefillError};
use shared::store::{Progress, Store};

/// What a tick did for gates that are being filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Fillings {
    /// Programs found closed.
    pub found: u64,
    /// Programs opened.
    pub opened: u64,
}

/// Continues every filling, each until it is done or `late` says so. One that fails does not stop the others; the first error is
/// returned in the end.
pub async fn run(
    gate: &Gate,
    store: &Store,
    topic: &str,
    late: &(dyn Fn() -> bool + Sync),
    fillings: &mut Fillings,
) -> Result<(), RefillError> {
    let programs = gate.fillings().await?;
    if programs.is_empty() {
        return Ok(());
    }
    let progress = store.progress(topic).await?;
    let mut outcome = Ok(());
    for program in programs {
        if late() {
            break;
        }
        fillings.found += 1;
        match one(gate, store, &progress, program, late).await {
            Ok(Some(Filled::Open)) => fillings.opened += 1,
            Ok(Some(Filled::Unfinished) | None) => {}
            Err(error) => {
                tracing::warn!(program = %program.id, %error, "the gate is not filled yet; the next tick continues");
                outcome = outcome.and(Err(error));
            }
        }
    }
    outcome
}

/// Nothing where nothing can be done now.
async fn one(
    gate: &Gate,
    store: &Store,
    progress: &[Progress],
    at: ProgramRef,
    late: &(dyn Fn() -> bool + Sync),
) -> Result<Option<Filled>, RefillError> {
    let Some(program) = store.program(at.id).await? else {
        return Ok(None);
    };
    let loader = Epoch::new(rand::random());
    match gate
        .install_begin(&program, None, &loader, LEASE_MS)
        .await?
    {
        Install::Mine { ends, position }
            if position.is_empty() && !refill::has_passed(&ends, progress) =>
        {
            gate.install_renew(at, &loader, 1, None).await?;
            Ok(None)
        }
        Install::Mine { position, .. } => Ok(Some(
            refill::fill(gate, store, &program, &loader, &position, late).await?,
        )),
        Install::Busy { .. } | Install::AlreadyOpen | Install::EndsNeeded | Install::GrantLost => {
            Ok(None)
        }
    }
}
