//! Matches payments with orders that were stored at the same moment, when neither transaction saw
//! the other.

use super::{JobError, Sweep};

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let limit = sweep.closer.settings.sweep_limit;
    let paid = sweep.closer.store.sweep_payments(limit).await?;
    sweep.report.matched = paid.len() as u64;
    Ok(())
}
