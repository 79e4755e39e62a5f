//! Matches payments with orders that were stored at the same moment, when neither transaction saw
//! the other.

use super::JobError;
use crate::closer::Closer;
use crate::report::SweepReport;

pub(super) async fn run(closer: &Closer, report: &mut SweepReport) -> Result<(), JobError> {
    let limit = closer.settings.sweep_limit;
    report.matched = closer.store.sweep_payments(limit).await?.len() as u64;
    Ok(())
}
