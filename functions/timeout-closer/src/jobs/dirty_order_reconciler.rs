//! Settles the gate by every row whose last change it may lack, rows just closed included.

use shared::reconcile::{Reconciled, reconcile};

use super::{JobError, Sweep};

/// Reads all pages, not only the first: a row stays dirty while the gate does not hold its
/// program, and such rows may fill a page.
pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let (gate, store) = (&sweep.closer.gate, &sweep.closer.store);
    let limit = sweep.closer.settings.sweep_limit;
    let mut after = None;
    while !sweep.is_over() {
        let dirty = store.dirty(after, limit).await?;
        let Some(last) = dirty.last() else { break };
        after = Some(last.number);
        let reconciled = reconcile(gate, store, &dirty).await?;
        sweep.report.settled += reconciled.settled as u64;
        sweep.report.unsettled += (reconciled.waiting.len() + reconciled.failed.len()) as u64;
        warn(&reconciled);
        if dirty.len() < limit as usize {
            break;
        }
    }
    Ok(())
}

fn warn(reconciled: &Reconciled) {
    for (order, error) in reconciled.failed.iter().take(3) {
        tracing::warn!(%order, %error, "order not settled; the next sweep tries again");
    }
    if !reconciled.waiting.is_empty() {
        tracing::warn!(
            orders = reconciled.waiting.len(),
            "orders not settled: the gate does not hold their programs"
        );
    }
}
