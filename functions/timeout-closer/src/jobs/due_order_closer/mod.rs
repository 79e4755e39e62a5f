//! Closes the orders whose timeout entries are due.
//!
//! A [`Batch`] of claimed entries closes its overdue unpaid orders in one statement. Where an
//! order has no row, the gate says how far the order has come; [`after_claim`](shared::steps::after_claim) then fences it, in a
//! second transaction, or postpones the entry. Afterwards the row decides: the gate is settled by
//! it, and the entry is acknowledged.

mod batch;
mod log_summary;

use std::time::Instant;

use delay_queue::Shard;

use super::JobError;
use crate::closer::Closer;
use crate::report::TickReport;

use batch::Batch;

/// Handles the entries that were due when the job began. What becomes due later, entries that this
/// job postponed included, belongs to the next tick.
pub(crate) async fn run(
    closer: &Closer,
    until: Instant,
    report: &mut TickReport,
) -> Result<(), JobError> {
    let settings = &closer.settings;
    let shards: Vec<Shard> = Shard::all().collect();
    let queue = closer.gate.timeouts();
    let lease_ms = settings.lease.as_millis() as u64;
    let mut began_ms = None;
    while Instant::now() < until {
        let claimed = queue.claim(&shards, settings.claim_limit, lease_ms).await?;
        let began_ms = *began_ms.get_or_insert(claimed.now_ms);
        let is_last = claimed.claims.iter().all(|claim| claim.due_ms > began_ms);
        report.claimed += claimed.claims.len() as u64;
        let batch = Batch::new(closer);
        batch.run(claimed.claims, &mut report.outcome).await?;
        if is_last {
            return Ok(());
        }
    }
    report.unfinished = true;
    Ok(())
}
