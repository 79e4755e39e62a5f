//! Rows that are too old are deleted, at most once per interval, unless the last deletion reached its
//! bound. With a bound of at least a batch, deleting keeps pace with adding.

use std::time::Instant;

use shared::api_calls::DeletedCalls;
use shared::store::Store;

use crate::interval::Interval;
use crate::settings::Retention;

/// Deletes rows that are too old, if the interval is over. After an error the next interval tries
/// again.
pub(crate) async fn forget(
    interval: &Interval,
    store: &Store,
    retention: &Retention,
) -> DeletedCalls {
    if !interval.due(Instant::now(), retention.every) {
        return DeletedCalls::default();
    }
    match store
        .delete_old_calls(retention.calls, retention.minutes, retention.limit)
        .await
    {
        Ok(forgotten) => {
            if forgotten.calls.max(forgotten.minutes) >= u64::from(retention.limit) {
                interval.continue_with_next_batch();
            }
            forgotten
        }
        Err(error) => {
            tracing::warn!(%error, "old API calls stay until the next interval");
            DeletedCalls::default()
        }
    }
}
