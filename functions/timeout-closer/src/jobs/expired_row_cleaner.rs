//! Deletes rows that are older than their retention.

use super::{JobError, Sweep};

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let settings = &sweep.closer.settings;
    let store = &sweep.closer.store;
    let deleted = store
        .delete_expired(settings.retention, settings.sweep_limit)
        .await?;
    sweep.report.expired += deleted.orders + deleted.payments + deleted.parked;
    Ok(())
}
