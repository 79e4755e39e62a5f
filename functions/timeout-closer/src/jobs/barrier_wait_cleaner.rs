//! Deletes barrier requests of orders that have a row by now.

use super::{JobError, Sweep};

pub(super) async fn run(sweep: &Sweep<'_>) -> Result<(), JobError> {
    sweep.closer.store.delete_barrier_waits().await?;
    Ok(())
}
