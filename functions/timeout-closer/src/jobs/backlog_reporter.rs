//! Counts what waits for an operator, for another process, or for time.

use std::time::Instant;

use futures::future::BoxFuture;

use super::{JobError, SweepJob};
use crate::closer::Closer;
use crate::report::SweepReport;

pub(super) struct BacklogReporter;

impl SweepJob for BacklogReporter {
    fn run<'a>(
        &'a self,
        closer: &'a Closer,
        _: Instant,
        report: &'a mut SweepReport,
    ) -> BoxFuture<'a, Result<(), JobError>> {
        Box::pin(async move {
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
        })
    }
}
