//! Closes overdue unpaid rows that no timeout entry leads to. They become dirty, so the gate is
//! settled by them afterwards.

use std::time::SystemTime;

use super::{JobError, Sweep};
use crate::closing_span::ClosedBy;

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let closer = sweep.closer;
    let limit = closer.settings.sweep_limit;
    loop {
        let began = SystemTime::now();
        let closed = closer.store.sweep_overdue(limit).await?;
        closer.record_closings(closed.iter(), ClosedBy::Sweep, began, |_| None);
        sweep.report.closed += closed.len() as u64;
        if closed.len() < limit as usize || sweep.is_over() {
            return Ok(());
        }
    }
}
