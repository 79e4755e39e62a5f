//! Changes of programs that were committed and not published: whoever made them died in between, or the stream was away.

use std::time::Instant;

use shared::cache::Announcer;
use shared::store::Store;

use super::{SweepError, Swept};

/// Publishes what was left behind, in pages of `limit`, oldest first; nothing is begun after `until`.
///
/// A change is marked only after the stream has it. A crash in between publishes it twice, which is harmless.
pub async fn publish(
    store: &Store,
    changes: &Announcer,
    limit: u32,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    loop {
        let left = store.unpublished(limit).await?;
        let mut refused = None;
        let mut told = Vec::with_capacity(left.len());
        for change in &left {
            match changes.tell(*change, None).await {
                Ok(()) => told.push(*change),
                // The others would not fare better.
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        store.published(&told).await?;
        swept.published += told.len() as u64;
        if let Some(error) = refused {
            swept.unpublished = (left.len() - told.len()) as u64;
            return Err(error.into());
        }
        if left.len() < limit as usize || Instant::now() >= until {
            store.forget_published(limit).await?;
            return Ok(());
        }
    }
}
