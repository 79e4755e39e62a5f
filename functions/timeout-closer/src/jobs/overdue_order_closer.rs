//! Closes overdue unpaid rows that no timeout entry leads to.

use std::time::{Instant, SystemTime};

use super::JobError;
use crate::closer::Closer;
use crate::closing_span::{ClosedBy, closing_span};
use crate::report::SweepReport;

pub(super) async fn run(
    closer: &Closer,
    until: Instant,
    report: &mut SweepReport,
) -> Result<(), JobError> {
    let limit = closer.settings.sweep_limit;
    loop {
        let closed = close_page(closer, limit).await?;
        report.closed += closed;
        if closed < u64::from(limit) || Instant::now() >= until {
            return Ok(());
        }
    }
}

/// Closes at most `limit` orders. The rows become dirty, so the gate is settled by them afterwards.
async fn close_page(closer: &Closer, limit: u32) -> Result<u64, JobError> {
    let began = SystemTime::now();
    let rows = closer.store.sweep_overdue(limit).await?;
    let tracer = &closer.tracer;
    if tracer.is_on() {
        let took = (began, SystemTime::now());
        tracer.record(rows.iter().filter_map(|row| {
            closing_span(row, ClosedBy::Sweep, None, took, |traceparent| {
                tracer.position(traceparent)
            })
        }));
    }
    Ok(rows.len() as u64)
}
