//! Sends messages until the queue has accepted all of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::messages::calls;
use crate::sources::sqs::{OutgoingMessage, Sqs, SqsError};

/// Delays between attempts. The last one repeats.
const DELAYS: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// Returns false if `stop` turned true before the queue had accepted all messages.
///
/// # Errors
/// The queue does not exist, or refuses a message for its content.
pub(super) async fn send_all(
    sqs: &Sqs,
    queue: &str,
    messages: Vec<OutgoingMessage>,
    stop: &AtomicBool,
) -> Result<bool, String> {
    for mut left in calls(messages) {
        let mut attempt = 0;
        while !left.is_empty() {
            match sqs.send_batch(queue, &left).await {
                Ok((_, Some(why))) | Err(SqsError::Refused(why)) => {
                    return Err(format!("queue {queue} refuses a message: {why}"));
                }
                Ok((again, None)) => left = again,
                Err(SqsError::NoQueue) => {
                    return Err(format!("there is no queue {queue} at {}", sqs.endpoint()));
                }
                Err(why) if attempt == 0 => {
                    tracing::warn!(queue, "messages cannot be sent; the bridge retries: {why}");
                }
                Err(why) => tracing::debug!(queue, %why, "a retry failed"),
            }
            if left.is_empty() {
                break;
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            tokio::time::sleep(DELAYS[attempt.min(DELAYS.len() - 1)]).await;
            attempt += 1;
        }
    }
    Ok(true)
}
