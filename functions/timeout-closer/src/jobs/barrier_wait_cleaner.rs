//! Deletes barrier requests of orders that have a row by now.

use std::time::Instant;

use futures::future::BoxFuture;

use super::{JobError, SweepJob};
use crate::closer::Closer;
use crate::report::SweepReport;

pub(super) struct BarrierWaitCleaner;

impl SweepJob for BarrierWaitCleaner {
    fn run<'a>(
        &'a self,
        closer: &'a Closer,
        _: Instant,
        _: &'a mut SweepReport,
    ) -> BoxFuture<'a, Result<(), JobError>> {
        Box::pin(async move {
            closer.store.delete_barrier_waits().await?;
            Ok(())
        })
    }
}
