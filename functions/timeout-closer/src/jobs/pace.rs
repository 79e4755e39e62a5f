//! Pauses between the gate calls of a job that compares a whole hall or all keys.

use std::time::{Duration, Instant};

use tokio::time::sleep;

/// Pause after a call, in multiples of the time that it took: the job takes at most a fifth of the
/// gate's time.
const PAUSE: u32 = 4;
/// Maximum pause, however long the gate took to answer.
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// Makes a call, then pauses.
pub(super) async fn paced<T>(call: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let result = call.await;
    sleep((began.elapsed() * PAUSE).min(MAX_PAUSE)).await;
    result
}
