//! Settles the gate by every row whose last change it may lack, rows just closed included.

use std::time::Instant;

use shared::reconcile::{Reconciled, reconcile};

use super::JobError;
use crate::closer::Closer;
use crate::report::SweepReport;

/// Reads all pages, not only the first: a row stays dirty while the gate does not hold its
/// program, and such rows may fill a page.
pub(super) async fn run(
    closer: &Closer,
    until: Instant,
    report: &mut SweepReport,
) -> Result<(), JobError> {
    let limit = closer.settings.sweep_limit;
    let mut after = None;
    while Instant::now() < until {
        let dirty = closer.store.dirty(after, limit).await?;
        let Some(last) = dirty.last() else { break };
        after = Some(last.number);
        let reconciled = reconcile(&closer.gate, &closer.store, &dirty).await?;
        report.settled += reconciled.settled as u64;
        report.unsettled += (reconciled.waiting.len() + reconciled.failed.len()) as u64;
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
