//! Matches payments with orders that were stored at the same moment, when neither transaction saw
//! the other.

use std::time::Instant;

use futures::future::BoxFuture;

use super::{JobError, SweepJob};
use crate::closer::Closer;
use crate::report::SweepReport;

pub(super) struct PaymentMatcher;

impl SweepJob for PaymentMatcher {
    fn run<'a>(
        &'a self,
        closer: &'a Closer,
        _: Instant,
        report: &'a mut SweepReport,
    ) -> BoxFuture<'a, Result<(), JobError>> {
        Box::pin(async move {
            let limit = closer.settings.sweep_limit;
            report.matched = closer.store.sweep_payments(limit).await?.len() as u64;
            Ok(())
        })
    }
}
