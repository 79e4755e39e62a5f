//! Counts what waits for an operator, for another process, or for time.

use super::{JobError, Sweep};

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let Sweep { closer, report, .. } = sweep;
    let counts = closer.store.counts().await?;
    report.parked = counts.parked.max(0) as u64;
    report.overdue = counts.overdue.max(0) as u64;
    report.unmatched = counts.unmatched_payments.max(0) as u64;
    report.to_refund = counts.to_refund.max(0) as u64;
    if counts.unmatched_too_long > 0 {
        tracing::error!(
            alarm = "payments_unmatched",
            payments = counts.unmatched_too_long,
            "payments have waited for an order longer than any pay window"
        );
    }
    Ok(())
}
