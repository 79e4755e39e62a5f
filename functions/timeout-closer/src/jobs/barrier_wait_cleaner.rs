//! Deletes barrier requests of orders that have a row by now.

use super::JobError;
use crate::closer::Closer;

pub(super) async fn run(closer: &Closer) -> Result<(), JobError> {
    closer.store.delete_barrier_waits().await?;
    Ok(())
}
