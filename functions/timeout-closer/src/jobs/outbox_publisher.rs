//! Publishes program changes from the outbox: their storefront ended before it published them, or
//! the stream was away.

use super::{JobError, Sweep};

/// Publishes in pages, oldest change first.
///
/// A change is marked only after the stream has taken it. A crash in between publishes it
/// twice, which is harmless.
pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let closer = sweep.closer;
    let store = &closer.store;
    let limit = closer.settings.publish_limit;
    loop {
        let left = store.unpublished(limit).await?;
        let mut refused = None;
        let mut sent = Vec::with_capacity(left.len());
        for change in &left {
            match closer.changes.announce(*change, None).await {
                Ok(()) => sent.push(*change),
                // The stream would refuse the others as well.
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        store.published(&sent).await?;
        sweep.report.published += sent.len() as u64;
        if let Some(error) = refused {
            sweep.report.unpublished = (left.len() - sent.len()) as u64;
            return Err(error.into());
        }
        if left.len() < limit as usize || sweep.is_over() {
            store.delete_published(limit).await?;
            return Ok(());
        }
    }
}
